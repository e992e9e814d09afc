BEGIN TRANSACTION;
CREATE TABLE batch (id integer primary key, state text not null, intent real not null,
    tries integer not null);
INSERT INTO "batch" VALUES(1,'answered',1.79590823546081924432e+09,1);
INSERT INTO "batch" VALUES(2,'answered',1.79590823546875286102e+09,1);
INSERT INTO "batch" VALUES(3,'refused',1.79590823550726127622e+09,1);
CREATE TABLE chunk (first integer primary key, size integer not null, kind text,
    body text not null);
INSERT INTO "chunk" VALUES(3,1,'https://example.org/a.jpg','{"messages":[{"to":"+61400000001","body":"Look","subject":"S","custom_string":"ac1-07b4a240-3-0"}]}');
INSERT INTO "chunk" VALUES(4,1,'https://example.org/b.jpg','{"messages":[{"to":"+61400000002","body":"Look","subject":"S","custom_string":"ac1-07b4a240-3-1"}]}');
INSERT INTO "chunk" VALUES(5,1,'https://example.org/a.jpg','{"messages":[{"to":"+61400000003","body":"Look","subject":"S","custom_string":"ac1-07b4a240-5-0"}]}');
CREATE TABLE fate (chunk integer primary key, size integer not null, batch integer,
    state, message_id, parts, price, reason, at real);
INSERT INTO "fate" VALUES(3,1,1,'accepted','9A9A08BA-5920-495E-ACE5-A0D95EF7A49C',1,'0.3600',NULL,1.79590823546857190134e+09);
INSERT INTO "fate" VALUES(4,1,2,'accepted','0EBFBD01-2CFB-4713-AA78-ED730A2DEA8F',1,'0.3600',NULL,1.79590823549111485478e+09);
INSERT INTO "fate" VALUES(5,1,3,'not_sent',NULL,NULL,NULL,'POST /v3/mms/send 429 HTTP_TOO_MANY_REQUESTS: Too many attempts.',1.79590823551304602625e+09);
CREATE TABLE lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, born text not null, beat real not null);
CREATE TABLE meta (name text primary key, value text not null) without rowid;
INSERT INTO "meta" VALUES('campaign','07b4a240');
INSERT INTO "meta" VALUES('channel','mms');
INSERT INTO "meta" VALUES('schema','2');
CREATE TABLE single (id integer primary key, batch integer, state text, message_id text,
    parts integer, price text, reason text, at real);
CREATE VIEW message as
    select chunk.first + it.key as id, json_extract(it.value, '$.custom_string') as ref,
        json_extract(it.value, '$.to') as "to", chunk.kind, it.value as body
    from chunk join json_each(chunk.body, '$.messages') as it;
CREATE VIEW standing as
    select chunk.first as chunk, it.key as place, chunk.first + it.key as id, it.value as body,
        coalesce(fate.batch, single.batch) as batch, coalesce(fate.at, single.at) as at,
        coalesce(iif(substr(fate.state, 1, 1) = '[',
    json_extract(fate.state, '$[' || it.key || ']'), fate.state), single.state) as state, coalesce(iif(substr(fate.message_id, 1, 1) = '[',
    json_extract(fate.message_id, '$[' || it.key || ']'), fate.message_id), single.message_id) as message_id, coalesce(iif(substr(fate.parts, 1, 1) = '[',
    json_extract(fate.parts, '$[' || it.key || ']'), fate.parts), single.parts) as parts, coalesce(iif(substr(fate.price, 1, 1) = '[',
    json_extract(fate.price, '$[' || it.key || ']'), fate.price), single.price) as price, coalesce(iif(substr(fate.reason, 1, 1) = '[',
    json_extract(fate.reason, '$[' || it.key || ']'), fate.reason), single.reason) as reason
    from chunk join json_each(chunk.body, '$.messages') as it
    left join fate on fate.chunk = chunk.first
    left join single on fate.chunk is null and single.id = chunk.first + it.key;
CREATE VIEW outcome as
    select id, json_extract(body, '$.custom_string') as ref, json_extract(body, '$.to') as "to",
        coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) as state,
        message_id, parts, price, reason
    from standing;
COMMIT;