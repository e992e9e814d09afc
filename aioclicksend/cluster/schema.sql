-- The schema of a cluster, version 1; later steps change it. `{schema}` is replaced by its name.
--
--   account ─< journal ─< message ── standing >─ batch >─ owner
--      │          └ campaign            │
--      ├─< key >────────────────────────┘        outbox ──(moved by a worker)──▶ message
--      └─  the pace: one row per account          push, delivery, change, suppressed: the inbox
--
-- message is written once, standing is what changes: requests rewrite narrow rows only.
-- Times are the server's. Numbers of messages and batches are made of their owner's number and a
-- counter of the process, so that a statement whose commit was lost can be repeated as it is.

create table meta (name text primary key, value text not null);

create table account (
    id int generated always as identity primary key,
    name text not null unique,
    clicksend_user text,                                  -- whose credentials were used first
    next_slot timestamptz not null default '-infinity',   -- when the next request may start
    spacing double precision not null default 0,          -- seconds between two, of the slowest
    spacing_until timestamptz not null default '-infinity'
);
create table pause (                                      -- pauses that the API asked for (429)
    account int not null references account,
    operation text not null,                              -- '' for all of them
    until timestamptz not null,
    primary key (account, operation)
);

create table journal (
    id bigint generated always as identity primary key,
    account int not null references account,
    name text not null,
    channel text not null,
    created timestamptz not null default clock_timestamp(),
    committed numeric not null default 0,                 -- spent, and reserved for what is open
    rest_until timestamptz not null default '-infinity',  -- workers leave it alone until then
    unique (account, name)
);
create table campaign (
    journal bigint primary key references journal on delete cascade,
    facts jsonb not null,
    options jsonb not null default '{}',
    state text not null default 'planning'
        check (state in ('planning', 'ready', 'paused', 'cancelled')),
    starts timestamptz not null default clock_timestamp()
);
create table worker (
    id text primary key,
    account int not null references account,
    host text not null,
    pid int not null,
    place text not null,
    birth text not null,
    started timestamptz not null default clock_timestamp(),
    seen timestamptz not null default clock_timestamp()
);
create table owner (                                      -- one open journal of one process
    id bigint generated always as identity primary key,
    journal bigint not null references journal on delete cascade,
    host text not null,
    pid int not null,
    place text not null,                                  -- boot and pid namespace; '' unknown
    birth text not null,
    lease_until timestamptz not null,
    ended timestamptz,
    exited boolean not null default false
);
create index owner_open on owner (journal) where ended is null;

create table message (
    id bigint primary key,
    journal bigint not null references journal on delete cascade,
    identity uuid,                                        -- hash of its content and how often it came
    ref text not null,
    "to" text not null,
    body text not null,                                   -- its JSON, sent word for word
    media_file text,
    generated boolean not null,                           -- whether the ref is one of ours
    outbox bigint
);
create unique index message_identity on message (journal, identity) where identity is not null;
create index message_outbox on message (outbox) where outbox is not null;

create table standing (
    id bigint primary key,
    journal bigint not null,
    state text not null,
    owner bigint,                                         -- who began it, or looks it up
    batch bigint,                                         -- the request it was last sent in
    attempt int not null default 0,
    reserved numeric not null default 0,                  -- by the attempt that is open
    earlier numeric not null default 0,                   -- by earlier ones without a verdict
    message_id text,
    parts int,
    price numeric,
    reason text,
    detail text,
    lookups int not null default 0,                       -- by others than who began it
    settled timestamptz
);
create index standing_sendable on standing (journal, id)
    where state in ('planned', 'not_sent', 'held');
create index standing_doubtful on standing (journal, id)
    where state in ('in_flight', 'in_doubt', 'unknown');
create index standing_message_id on standing (message_id) where message_id is not null;
alter table standing set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

create table batch (
    id bigint primary key,
    journal bigint not null references journal on delete cascade,
    owner bigint not null,
    attempt int not null,
    begun timestamptz not null,
    size int not null
);
create table offer (                                      -- ranges handed out to be begun
    journal bigint not null references journal on delete cascade,
    owner bigint not null,
    first bigint not null,
    last bigint not null,
    until timestamptz not null
);
create index offer_journal on offer (journal);

create table key (                                        -- outlives any retention
    account int not null references account,
    hash bytea not null,                                  -- sha256
    message bigint not null,
    content bytea,                                        -- sha256 of channel, number and text
    state text,                                           -- of a message that was deleted
    message_id text,
    primary key (account, hash)
);
create index key_message on key (message);

create table erased (                                     -- counts of messages that were deleted
    journal bigint not null references journal on delete cascade,
    state text not null,
    reason text,
    messages bigint not null,
    parts bigint not null,
    cost numeric not null
);

create table outbox (
    id bigint generated always as identity primary key,
    account int not null references account,
    channel text not null,
    message jsonb not null,
    key text,
    enqueued timestamptz not null default clock_timestamp(),
    dead text                                             -- why it cannot be sent; null: waits
);
create index outbox_waiting on outbox (account, id) where dead is null;

-- The inbox: pushes, what is known of deliveries, and who is not to be written to.

create table inbox_clock (                                -- orders changes; locked by who appends
    account int primary key references account,
    seq bigint not null default 0
);
create table push (
    id bigint generated always as identity primary key,
    account int not null references account,
    dedupe text,
    received timestamptz not null default clock_timestamp(),
    body bytea not null,
    content_type text,
    query text,
    due timestamptz,                                      -- null: handled or dead
    attempts int not null default 0,
    is_dead boolean not null default false,
    reason text,
    sender text,                                          -- digits
    answers text,                                         -- id of the message it answers
    ref text
);
create unique index push_dedupe on push (account, dedupe) where dedupe is not null;
create index push_due on push (account, due) where due is not null;
create index push_dead on push (account, id) where is_dead;
create index push_sender on push (account, sender) where sender is not null;
create index push_answers on push (account, answers) where answers is not null;
create index push_ref on push (account, ref) where ref is not null;
create table polled_receipt (                             -- so that they can be marked read
    account int not null references account,
    dedupe text not null,
    message_id text not null,
    ref text,
    made bigint not null,                                 -- server time, unix seconds
    first_seen double precision not null,
    last_seen double precision not null,
    primary key (account, dedupe)
);
create index polled_receipt_last on polled_receipt (account, last_seen);
create table delivery (
    account int not null references account,
    message_id text not null,
    state text not null,
    reason text,
    ref text,
    at timestamptz,
    known json not null,                                  -- json, not jsonb: may hold \u0000
    primary key (account, message_id)
);
create index delivery_ref on delivery (account, ref) where ref is not null;
create table change (
    account int not null references account,
    seq bigint not null,
    message_id text not null,
    previous text,
    known json not null,
    primary key (account, seq)
);
create table suppressed (
    account int not null references account,
    key text not null,                                    -- what `blocked` asks for
    number text not null,                                 -- digits
    since timestamptz not null default clock_timestamp(),
    primary key (account, key, number)
);

-- What people read.

create view outcome as
    select m.id, a.name as account, j.name as journal, m.ref, m."to", m.outbox,
        case when s.state = 'in_flight' and (o.ended is not null or o.lease_until < now())
            then 'in_doubt' else s.state end as state,
        s.message_id, s.parts, s.price, s.reason, s.detail, s.attempt, s.settled,
        d.state as delivery, d.reason as failure
    from message m join standing s using (id)
    join journal j on j.id = m.journal join account a on a.id = j.account
    left join owner o on o.id = s.owner
    left join delivery d on d.account = a.id and d.message_id = s.message_id;

-- What applications call, inside their own transactions. No unique key and no notification here:
-- transactions of an application must never wait for each other because both send a message.

create function enqueue(channel text, message jsonb, key text default null,
    account text default 'main') returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $$
declare
    account_id int;
    outbox_id bigint;
begin
    select a.id into account_id from account a where a.name = enqueue.account;
    if account_id is null then
        raise exception 'clicksend.enqueue: there is no account "%"', enqueue.account
            using hint = 'aioclicksend cluster migrate --account NAME makes one';
    end if;
    if enqueue.channel is null or enqueue.channel not in ('sms', 'mms', 'voice') then
        raise exception 'clicksend.enqueue: channel must be sms, mms or voice';
    end if;
    if enqueue.message is null or jsonb_typeof(enqueue.message) <> 'object'
        or not enqueue.message ? 'to' then
        raise exception 'clicksend.enqueue: message must be an object with "to" and "body"';
    end if;
    insert into outbox (account, channel, message, key)
        values (account_id, enqueue.channel, enqueue.message, enqueue.key)
        returning id into outbox_id;
    return outbox_id;
end $$;
revoke all on function enqueue(text, jsonb, text, text) from public;
