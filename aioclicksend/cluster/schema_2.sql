-- Version 2: messages that are due later, each at a time of its own.

alter table standing add column due timestamptz;          -- null: at once, or woken since

-- What is due later is not among what can be sent: a list that waits for tomorrow is not read at
-- every look. `due` becomes null once its time has come.
drop index standing_sendable;
create index standing_sendable on standing (journal, id)
    where state in ('planned', 'not_sent', 'held') and due is null;
create index standing_due on standing (due)
    where state in ('planned', 'not_sent', 'held') and due is not null;

create or replace view outcome as
    select m.id, a.name as account, j.name as journal, m.ref, m."to", m.outbox,
        case when s.state = 'in_flight' and (o.ended is not null or o.lease_until < now())
            then 'in_doubt' else s.state end as state,
        s.message_id, s.parts, s.price, s.reason, s.detail, s.attempt, s.settled,
        d.state as delivery, d.reason as failure, s.due
    from message m join standing s using (id)
    join journal j on j.id = m.journal join account a on a.id = j.account
    left join owner o on o.id = s.owner
    left join delivery d on d.account = a.id and d.message_id = s.message_id;
