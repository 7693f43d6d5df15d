"""A small site with everything that makes a dump hard to read, as SQL for MariaDB and for PostgreSQL."""

from __future__ import annotations

BAD = "2025_11_25_120000_convert_pictures"
EARLIER = [
    "2024_01_01_000000_create_albums",
    "2024_01_02_000000_create_pictures",
    "2025_02_01_000000_add_notes",
]
NAMES = [
    'it\'s; -- a "name"',
    "back`tick",
    "with space",
    "two\nlines",
    "größe 画像",
    "select",
    "a(b),(c",
    "semi;colon",
]
TEXTS = [
    "it's; -- Dump completed on 2026-11-22 15:53:01",
    "\n-- Dump completed on 2026-11-22 15:53:01\n",
    "a\nCOMMIT;\n",
    "),(",
    "'),('",
    "\\'),(\\'",
    "'); DROP TABLE albums; --",
    ");\nINSERT INTO `albums` VALUES (9,'x');\n",
    "back\\slash\\",
    "\\\\'",
    "\\.",
    "\\.\n",
    "\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n",
    "\n/*!40101 SET x=1 */;\nUSE `mysql`;\n",
    "\nCREATE DATABASE other;\n\\connect other\n",
    "\t\ttabs\r\nand returns\b\f\v",
    '"double" `back` [square] $tag$ $$',
    "/* not closed",
    "DELIMITER ;;",
    "Ünïcödé 画像 \U0001f600",
    "",
    "NULL",
    "\\N",
    "DEFINER=`root`@`localhost`",
    "long " * 3000,
]
_MIGRATIONS = "id integer not null primary key, migration varchar(255) not null, batch integer not null"


def my_text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def my_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def pg_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def pg_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def migration_rows(names: list[str]) -> str:
    return ", ".join(f"({number}, '{name}', {number})" for number, name in enumerate(names, start=1))


def mariadb_sql(migrations: list[str], prefix: str = "") -> str:
    """Return the statements that make the site in MariaDB; `prefix` makes its tables another site's."""
    albums, pictures = my_name(f"{prefix}albums"), my_name(f"{prefix}pictures")
    lines = [
        f"create table migrations ({_MIGRATIONS.replace('primary key', 'auto_increment primary key')});",
        f"insert into migrations values {migration_rows(migrations)};",
        (
            f"create table {albums} (id bigint unsigned not null auto_increment primary key, name varchar(255)"
            " comment 'it''s; (a `name`)', upper_name varchar(255) as (upper(name)) stored, facts json,"
            " key by_name (name));"
        ),
        (
            f"create table {pictures} (id bigint unsigned not null auto_increment primary key, album_id bigint unsigned,"
            " note longtext, bytes longblob, taken datetime(6), rating double, price decimal(20,4), is_public bit(1),"
            f" constraint {my_name(prefix + 'to_album')} foreign key (album_id) references {albums} (id) on delete cascade);"
        ),
        (
            f"create table {my_name(prefix + 'visits')} (id int not null, day date not null, primary key (id, day))"
            " partition by range (year(day)) (partition p0 values less than (2025), partition p1 values less than maxvalue);"
        ),
        f"insert into {my_name(prefix + 'visits')} values (1, '2024-05-05'), (2, '2025-05-05'), (3, '2026-05-05');",
        f"create table {my_name(prefix + 'empty')} (id int);",
        f"insert into {albums} (name, facts) values ('one', '{{\"a\": \"b; (c) ''d''\"}}'), (null, null);",
    ]
    lines += [
        f"insert into {pictures} (album_id, note, bytes, taken, rating, price, is_public) values"
        f" (1, {my_text(value)}, {my_text(value)}, '2025-01-01 10:00:00.123456', 1.5e10, 12.34, b'1');"
        for value in TEXTS
    ]
    lines.append(f"insert into {pictures} (bytes) values (x'00270a5c1a0d22ff'), (null);")
    for number, name in enumerate(NAMES):
        column = "a(b" if number == 6 else name
        lines.append(f"create table {my_name(prefix + name)} ({my_name(column)} text, id int);")
        rows = ", ".join(f"({my_text(value)}, {place})" for place, value in enumerate(TEXTS[: number + 2]))
        lines.append(f"insert into {my_name(prefix + name)} values {rows};")
    return "\n".join(lines) + _mariadb_objects(albums, pictures, prefix)


def _mariadb_objects(albums: str, pictures: str, prefix: str) -> str:
    name = my_name(f"{prefix}keep; -- it's")
    return f"""
create view {my_name(prefix + "seen")} as select id, 'a; ''b''' as x from {albums};
delimiter ;;
create trigger {name} after delete on {albums} for each row begin
  insert into {pictures} (note) values ('gone; END;;');
  -- a comment; with '
end;;
create procedure {my_name(prefix + "tidy")}() begin delete from {pictures} where note = 'x;'; end;;
create function {my_name(prefix + "twice")}(x int) returns int deterministic return x * 2;;
create event {my_name(prefix + "nightly")} on schedule every 1 day disable do begin delete from {albums} where id = 0; end;;
delimiter ;
"""


def postgresql_sql(migrations: list[str], prefix: str = "") -> str:
    """Return the statements that make the site in PostgreSQL; `prefix` makes its tables another site's."""
    albums, pictures = pg_name(f"{prefix}albums"), pg_name(f"{prefix}pictures")
    visits = pg_name(f"{prefix}visits")
    lines = [
        f"create table migrations ({_MIGRATIONS});",
        f"insert into migrations values {migration_rows(migrations)};",
        (
            f"create table {albums} (id bigserial primary key, name varchar(255) default 'it''s; (a)', facts jsonb,"
            " upper_name text generated always as (upper(name)) stored);"
        ),
        f"comment on table {albums} is 'it''s; -- a comment';",
        (
            f"create table {pictures} (id bigserial primary key, album_id bigint references {albums} on delete cascade,"
            " note text, bytes bytea, taken timestamptz, rating double precision, tags text[]);"
        ),
        f"create index {pg_name(prefix + 'by note')} on {pictures} (md5(note));",
        f"create table {visits} (id int, day date not null) partition by range (day);",
        f"create table {pg_name(prefix + 'visits_1')} partition of {visits} for values from (minvalue) to ('2025-01-01');",
        f"create table {pg_name(prefix + 'visits_2')} partition of {visits} for values from ('2025-01-01') to (maxvalue);",
        f"insert into {visits} values (1, '2024-05-05'), (2, '2025-05-05'), (3, '2026-05-05');",
        f"create table {pg_name(prefix + 'special_albums')} (extra text) inherits ({albums});",
        f"insert into {pg_name(prefix + 'special_albums')} (name, extra) values ('special', 'x');",
        f"create table {pg_name(prefix + 'empty')} (id int);",
        f"create table {pg_name(prefix + 'no columns')} ();",
        f"insert into {pg_name(prefix + 'no columns')} default values;",
        f"create schema {pg_name(prefix + 'other schema')};",
        f"create table {pg_name(prefix + 'other schema')}.albums (id int);",
        f"insert into {pg_name(prefix + 'other schema')}.albums values (1), (2);",
        f"insert into {albums} (name, facts) values ('one', '{{\"a\": \"b; (c) ''d''\"}}'), (null, null);",
        "select lo_from_bytea(0, convert_to('a large object; \n\\.\n', 'UTF8'));",
    ]
    lines += [
        f"insert into {pictures} (album_id, note, bytes, taken, rating, tags) values"
        f" ((select min(id) from only {albums} where name = 'one'), {pg_text(value)}, convert_to({pg_text(value)}, 'UTF8'),"
        f" '2025-01-01 10:00:00.123456+02', 1.5e10, array[{pg_text(value)}, null]);"
        for value in TEXTS
    ]
    for number, name in enumerate(NAMES):
        lines.append(f"create table {pg_name(prefix + name)} ({pg_name(name)} text, id int);")
        rows = ", ".join(f"({pg_text(value)}, {place})" for place, value in enumerate(TEXTS[: number + 2]))
        lines.append(f"insert into {pg_name(prefix + name)} values {rows};")
    return "\n".join(lines) + _postgresql_objects(albums, prefix)


def _postgresql_objects(albums: str, prefix: str) -> str:
    keep = pg_name(f"{prefix}keep; -- it's")
    return f"""
create view {pg_name(prefix + "seen")} as select id, 'a; ''b''' as x from {albums};
create materialized view {pg_name(prefix + "counted")} as select count(*) from {albums};
create function {keep}() returns trigger language plpgsql as $body$
begin
  -- a comment; with ' and "
  raise notice 'gone; %; $$', old.id; return old;
end $body$;
create trigger {keep} after delete on {albums} for each row execute function {keep}();
create type {pg_name(prefix + "mood")} as enum ('it''s; good', 'bad');
"""
