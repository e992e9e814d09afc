"""The SQL of the journal. No lock is held across a request.

What locks rows that others need is one statement, which ends on the server even if its process
stands still: between two statements of a transaction that process would hold up all others.
"""

COPY_INCOMING = """
copy incoming (n, id, identity, ref, "to", body, media_file, generated, key, content,
    outbox, due) from stdin
"""

CREATE_INCOMING = """
create temp table if not exists incoming (n int, id bigint, identity uuid, ref text, "to" text,
    body text, media_file text, generated boolean, key bytea, content bytea, outbox bigint,
    due timestamptz) on commit delete rows
"""

# Sorted, so that two transactions that take the same keys do not wait for each other in a ring.
TAKE_KEYS = """
insert into key (account, hash, message, content)
select %(account)s, i.key, i.id, i.content
from (select distinct on (key) * from incoming where key is not null order by key, n) i
order by i.key on conflict (account, hash) do nothing
"""

# Messages whose key belongs to another one. The lock keeps that one from being begun meanwhile.
KEY_HOLDERS = """
select i.n, i.id, k.message, k.content is not distinct from i.content or k.content is null as same,
    s.state, k.state, k.message_id
from incoming i join key k on k.account = %(account)s and k.hash = i.key
left join lateral (select id, state from standing where id = k.message for update) s on true
where k.message <> i.id order by i.n
"""

HAND_KEY_ON = """
with passed as (update key set message = %(id)s, content = i.content from incoming i
    where i.id = %(id)s and key.account = %(account)s and key.hash = i.key returning 1)
update standing set state = 'key_conflict', settled = clock_timestamp()
where id = %(holder)s and exists (select 1 from passed)
"""

ENTER = """
with entered as (
    insert into message (id, journal, identity, ref, "to", body, media_file, generated, outbox)
    select id, %(journal)s, identity, ref, "to", body, media_file, generated, outbox
    from incoming where not (n = any(%(without)s)) order by identity, id
    on conflict do nothing returning id)
insert into standing (id, journal, state, due)
select id, %(journal)s, 'planned', case when due > clock_timestamp() then due end
from entered join incoming using (id) returning id
"""

FIND_ENTERED = """
select i.n, m.id from incoming i join message m on m.journal = %(journal)s
    and m.identity = i.identity where m.id <> i.id
"""

# The rows are named for both tables: else one of them may be read whole to find a thousand.
ENTRIES = """
select m.id, m.body, m.media_file, m.generated,
    case when s.state not in ('in_flight', 'in_doubt') then s.state
        when o.ended is null and o.lease_until > clock_timestamp() then 'in_flight'
        else 'in_doubt' end,
    s.message_id, s.parts, s.price, s.reason, s.detail, s.batch, s.attempt,
    extract(epoch from clock_timestamp() - b.begun)::float8, s.reserved,
    coalesce(sender.exited, false)
from message m join standing s using (id)
left join owner o on o.id = s.owner
left join batch b on b.id = s.batch left join owner sender on sender.id = b.owner
where m.id = any(%(rows)s::bigint[]) and s.id = any(%(rows)s::bigint[]) order by m.id
"""

# An attempt is begun once: who comes second with the same number finds it taken. The same batch
# again is the same statement, repeated because its commit was lost with the connection.
_MAY_BEGIN = """
(s.state in ('planned', 'not_sent', 'held') and %(attempt)s = 1
    or (s.owner = %(owner)s and s.state in ('in_flight', 'in_doubt', 'unknown')
        and (s.attempt < %(attempt)s or s.batch = %(batch)s)))
"""

LOCK = f"""
select s.id, s.batch is not distinct from %(batch)s from standing s
where s.id = any(%(rows)s::bigint[]) and s.journal = %(journal)s and {_MAY_BEGIN}
    and exists (select 1 from owner where id = %(owner)s and ended is null
        and lease_until > clock_timestamp())
order by s.id for update of s skip locked
"""  # noqa: S608 - no value from outside

# Without a budget all of it at once. What an attempt without a verdict reserved stays reserved
# beside what the next one does, as it may be charged, too: it moves to `earlier`.
BEGIN_AT_ONCE = f"""
with free as materialized ({LOCK.strip()}),
made as (
    insert into batch (id, journal, owner, attempt, begun, size)
    select %(batch)s, %(journal)s, %(owner)s, %(attempt)s, clock_timestamp(), count(*) from free
    having count(*) > 0 on conflict (id) do nothing),
begun as (
    update standing s set state = 'in_flight', owner = %(owner)s, batch = %(batch)s,
        attempt = %(attempt)s, settled = null, reason = null, detail = null,
        earlier = case when s.batch = %(batch)s then s.earlier else s.earlier + s.reserved end,
        reserved = case when s.batch = %(batch)s then s.reserved else 0 end
    from free where s.id = free.id returning s.id)
select array(select id from begun), exists (select 1 from owner where id = %(owner)s
    and ended is null and lease_until > clock_timestamp())
"""  # noqa: S608 - no value from outside

COMMITTED = "select committed from journal where id = %(journal)s"
COMMITTED_LOCKED = f"{COMMITTED} for update"
COMMIT_MORE = "update journal set committed = committed + %(amount)s where id = %(journal)s"

# What is unknown is looked up once only, so a later sender would not price it again.
RESERVE = """
with kept as (
    update standing s set reserved = g.amount
    from unnest(%(rows)s::bigint[], %(amounts)s::numeric[]) as g (id, amount)
    where s.id = g.id and s.journal = %(journal)s and s.owner = %(owner)s and s.reserved = 0
        and s.state in ('in_flight', 'in_doubt', 'unknown')
    returning g.amount)
update journal set committed = committed + (select sum(amount) from kept)
where id = %(journal)s and exists (select 1 from kept)
"""

BEGIN = """
with made as (
    insert into batch (id, journal, owner, attempt, begun, size) values (%(batch)s, %(journal)s,
        %(owner)s, %(attempt)s, clock_timestamp(), cardinality(%(won)s::bigint[]))
    on conflict (id) do nothing)
update standing s set state = 'in_flight', owner = %(owner)s, batch = %(batch)s,
    attempt = %(attempt)s, settled = null, reason = null, detail = null,
    earlier = case when s.batch = %(batch)s then s.earlier else s.earlier + s.reserved end,
    reserved = case when s.batch = %(batch)s then s.reserved else coalesce(g.amount, 0) end
from unnest(%(won)s::bigint[], %(amounts)s::numeric[]) as g (id, amount)
where s.id = g.id
"""

HAS_LEASE = """
select exists (select 1 from owner where id = %(owner)s and ended is null
    and lease_until > clock_timestamp())
"""

_RESULTS = """
json_to_recordset(%(results)s::json)
    as g (id bigint, state text, message_id text, parts int, price numeric, reason text,
        detail text)
"""


def _finish(condition: str) -> str:
    """Return the statement that writes results to rows that meet a condition."""
    return f"""
with before as (
    select s.id, s.reserved from standing s
    where s.id = any(%(rows)s::bigint[]) and s.journal = %(journal)s and {condition}
    order by s.id for update of s),
written as (
    update standing s set state = g.state, message_id = g.message_id, parts = g.parts,
        price = g.price, reason = g.reason, detail = g.detail, settled = clock_timestamp(),
        reserved = case when g.state = 'unknown' or (g.state = 'accepted' and g.price is null)
            then s.reserved else 0 end
    from before, {_RESULTS}
    where s.id = before.id and g.id = s.id
    returning s.id, case when s.state = 'accepted' and s.price > 0 then s.price
        when s.state in ('accepted', 'unknown') then before.reserved else 0 end
        - before.reserved as change),
booked as (
    update journal set committed = committed + (select sum(change) from written)
    where id = %(journal)s and (select sum(change) from written) <> 0)
select array_agg(id), pg_notify(%(channel)s, '') from written
"""  # noqa: S608 - no value from outside


FINISH_BEGUN = _finish("s.batch = %(batch)s and s.state in ('in_flight', 'in_doubt', 'unknown')")
FINISH_OWN = _finish("s.owner = %(owner)s and s.state in ('in_flight', 'in_doubt', 'unknown')")
FINISH_NEVER_BEGUN = _finish("s.state in ('planned', 'not_sent', 'held')")

# What an opt-out forbids is asked about again when it is handed in again, not at every look.
# Ranges that a living owner was offered are left to it, so that workers do not contend for rows.
OFFER_SENDABLE = """
with others as materialized (
    select o.first, o.last from offer o join owner w on w.id = o.owner
    where o.journal = %(journal)s and o.owner <> %(owner)s and w.ended is null
        and o.until > clock_timestamp()),
picked as materialized (
    select s.id from standing s where s.journal = %(journal)s and s.id > %(after)s
        and s.state in ('planned', 'not_sent', 'held') and s.due is null
        and coalesce(s.reason, '') not in ('opted_out', 'invalid')
        and not exists (select 1 from others where s.id between first and last)
    order by s.id limit %(limit)s for update of s skip locked),
expired as (delete from offer where ctid = any(array(select ctid from offer
    where journal = %(journal)s and until < clock_timestamp() for update skip locked))),
offered as (
    insert into offer select %(journal)s, %(owner)s, min(id), max(id),
        clock_timestamp() + make_interval(secs => %(seconds)s)
    from picked having count(*) > 0)
select id from picked order by id
"""

# What was looked up once more and stayed unknown is for a person to decide. `batch` stays what it
# was: the result of a slow owner is still taken.
CLAIM_DOUBTFUL = """
with claimed as (
    select s.id from standing s left join owner o on o.id = s.owner
    where s.journal = %(journal)s and s.id > %(after)s
        and (s.state in ('in_flight', 'in_doubt') or s.state = 'unknown' and s.lookups = 0)
        and s.owner is distinct from %(owner)s
        and (o.id is null or o.ended is not null or o.lease_until < clock_timestamp())
    order by s.id limit %(limit)s for update of s skip locked)
update standing s set owner = %(owner)s, lookups = s.lookups + 1, state = 'in_doubt'
from claimed where s.id = claimed.id returning s.id
"""

# What it may have cost stays committed with either verdict, as the charge is unknown.
RESOLVE = """
with open as (
    select s.id from standing s join message m using (id)
    left join owner o on o.id = s.owner
    where s.journal = %(journal)s and s.state in ('in_flight', 'in_doubt', 'unknown')
        and (s.state = 'unknown' or o.id is null or o.ended is not null
            or o.lease_until < clock_timestamp())
        and (%(refs)s::text[] is null or m.ref = any(%(refs)s))
    order by s.id for update of s),
changed as (
    update standing s set state = %(state)s, owner = null, settled = clock_timestamp(),
        reason = null, detail = 'resolved manually', earlier = s.earlier + s.reserved, reserved = 0
    from open where s.id = open.id returning 1)
select count(*) from changed
"""

TAKEN = "select message_id from standing where journal = %(journal)s and message_id = any(%(ids)s)"

# How many messages are open, how many of these have an owner that is alive, and how many could be
# begun by anybody.
WAITED_FOR = """
select count(*) filter (where s.state in ('in_flight', 'in_doubt')),
    count(*) filter (where s.state in ('in_flight', 'in_doubt')
        and o.ended is null and o.lease_until > clock_timestamp()),
    count(*) filter (where s.state in ('planned', 'not_sent', 'held'))
from standing s left join owner o on o.id = s.owner where s.id = any(%(rows)s::bigint[])
"""

# Owners.

RECONSIDER = """
update standing set lookups = 0 where journal = %(journal)s and state = 'unknown'
"""
OPEN_JOURNAL = """
insert into journal (account, name, channel)
select id, %(name)s, %(channel)s from account where name = %(account)s
on conflict (account, name) do update set name = excluded.name
returning id, account, channel
"""
BECOME_OWNER = """
insert into owner (journal, host, pid, place, birth, lease_until)
values (%(journal)s, %(host)s, %(pid)s, %(place)s, %(birth)s,
    clock_timestamp() + make_interval(secs => %(lease)s)) returning id
"""
RENEW = """
update owner set lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
where id = %(owner)s and ended is null and lease_until > clock_timestamp() returning id
"""
END = """
with gone as (delete from offer where owner = %(owner)s)
update owner set ended = coalesce(ended, clock_timestamp()), exited = true where id = %(owner)s
"""
NEIGHBOURS = "select id, pid, birth from owner where ended is null and place = %(place)s"
BURY = """
update owner set ended = clock_timestamp(), exited = true where id = any(%(owners)s)
"""
