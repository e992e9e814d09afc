BEGIN TRANSACTION;
CREATE TABLE batch (id integer primary key, state text not null, intent real not null,
    tries integer not null);
INSERT INTO "batch" VALUES(1,'answered',1.79590823461622333531e+09,1);
INSERT INTO "batch" VALUES(2,'answered',1.79590823466493082049e+09,1);
INSERT INTO "batch" VALUES(3,'unknown',1.79590823476731228829e+09,1);
INSERT INTO "batch" VALUES(4,'refused',1.79590823479865360256e+09,1);
INSERT INTO "batch" VALUES(5,'answered',1.79590823500629019737e+09,1);
INSERT INTO "batch" VALUES(6,'answered',1.7959082350588111877e+09,1);
INSERT INTO "batch" VALUES(7,'intent',1760000000.0,1);
CREATE TABLE chunk (first integer primary key, size integer not null, kind text,
    body text not null);
INSERT INTO "chunk" VALUES(1,3,NULL,'{"messages":[{"to":"+61400000000","body":"Your table is booked.","custom_string":"ac1-855288e3-1-0"},{"to":"+61400000001","body":"Your table is booked.","custom_string":"ac1-855288e3-1-1"},{"to":"+61400000002","body":"Your table is booked.","custom_string":"ac1-855288e3-1-2"}]}');
INSERT INTO "chunk" VALUES(4,2,NULL,'{"messages":[{"to":"+61400000010","body":"Your table is booked.","custom_string":"ac1-855288e3-4-0"},{"to":"+61000000000","body":"Your table is booked.","custom_string":"ac1-855288e3-4-1"}]}');
INSERT INTO "chunk" VALUES(6,2,NULL,'{"messages":[{"to":"+61400000020","body":"Your table is booked.","custom_string":"ac1-855288e3-6-0"},{"to":"+61400000021","body":"Your table is booked.","custom_string":"ac1-855288e3-6-1"}]}');
INSERT INTO "chunk" VALUES(8,2,NULL,'{"messages":[{"to":"+61400000030","body":"Your table is booked.","custom_string":"ac1-855288e3-8-0"},{"to":"+61400000031","body":"Your table is booked.","custom_string":"ac1-855288e3-8-1"}]}');
INSERT INTO "chunk" VALUES(10,1,NULL,'{"messages":[{"to":"+61400000040","body":"Your table is booked.","custom_string":"mine"}]}');
INSERT INTO "chunk" VALUES(11,3,NULL,'{"messages":[{"to":"+61400000050","body":"Your table is booked.","custom_string":"ac1-855288e3-b-0"},{"to":"+61400000051","body":"Your table is booked.","custom_string":"ac1-855288e3-b-1"},{"to":"+61400000052","body":"Your table is booked.","custom_string":"ac1-855288e3-b-2"}]}');
INSERT INTO "chunk" VALUES(14,2,NULL,'{"messages":[{"to":"+61400000060","body":"Your table is booked.","custom_string":"ac1-855288e3-e-0"},{"to":"+61400000061","body":"Your table is booked.","custom_string":"ac1-855288e3-e-1"}]}');
CREATE TABLE fate (chunk integer primary key, size integer not null, batch integer,
    state, message_id, parts, price, reason, at real);
INSERT INTO "fate" VALUES(1,3,1,'accepted','["9AB89B0B-3867-4664-AD81-775131DAE18E","F49C3226-3641-408E-A822-C3B566FA93CD","8C5601C2-2CAF-4EED-A33E-F919314A2A2F"]',1,'0.0770',NULL,1.79590823465310263631e+09);
INSERT INTO "fate" VALUES(4,2,2,'["accepted","rejected"]','["A1A8B3C4-6450-4AE6-AD5B-CDCCA58309F7",null]','[1,null]','["0.0770",null]','[null,"INVALID_RECIPIENT"]',1.79590823474141407013e+09);
INSERT INTO "fate" VALUES(8,2,4,'not_sent',NULL,NULL,NULL,'POST /v3/sms/send 429 HTTP_TOO_MANY_REQUESTS: Too many attempts.',1.79590823492769551279e+09);
INSERT INTO "fate" VALUES(10,1,5,'accepted','C2B23E6E-3390-47C5-A611-DC6ED0D90552',1,'0.0770',NULL,1.79590823501749730106e+09);
INSERT INTO "fate" VALUES(14,2,7,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, born text not null, beat real not null);
CREATE TABLE meta (name text primary key, value text not null) without rowid;
INSERT INTO "meta" VALUES('campaign','855288e3');
INSERT INTO "meta" VALUES('channel','sms');
INSERT INTO "meta" VALUES('schema','2');
CREATE TABLE single (id integer primary key, batch integer, state text, message_id text,
    parts integer, price text, reason text, at real);
INSERT INTO "single" VALUES(6,3,'unknown',NULL,NULL,NULL,'POST /v3/sms/send: the connection broke; it may or may not have been carried out; not looked up, as settle is 0',1.79590823477920079236e+09);
INSERT INTO "single" VALUES(7,3,'unknown',NULL,NULL,NULL,'POST /v3/sms/send: the connection broke; it may or may not have been carried out; not looked up, as settle is 0',1.7959082347792766094e+09);
INSERT INTO "single" VALUES(11,6,'unknown',NULL,NULL,NULL,'the reply has no row for it; not looked up, as settle is 0',1.79590823506227231028e+09);
INSERT INTO "single" VALUES(12,6,'accepted','718DC647-95E4-47D0-A2FB-9433CD90FD68',1,'0.0770',NULL,1.79590823506237792965e+09);
INSERT INTO "single" VALUES(13,6,'accepted','F406C30B-0F73-4A02-AD7A-988E38B573C6',1,'0.0770',NULL,1.79590823506237792965e+09);
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