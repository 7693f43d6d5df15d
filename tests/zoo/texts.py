"""Small MySQL, MariaDB and PostgreSQL dumps, made by hand in the layouts of the tools named at each.

They are not recordings: first and last bytes, row layouts and comments follow the tools, the content is invented.
"""

from __future__ import annotations

from collections.abc import Iterator

_MIGRATIONS = [
    "2024_01_01_000000_create_albums",
    "2024_01_02_000000_create_pictures",
    "2025_02_01_000000_add_notes",
]
_BAD = "2025_11_25_120000_convert_pictures"

# Layout of mariadb-dump 10.11.19 (its first line ends with a blank; one row a line).
_MARIADB_HEAD = rb"""/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: 127.0.0.1    Database: album
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
"""  # noqa: W291
# Layout of mysqldump 8.0 (all rows of a statement on one line).
_MYSQL_HEAD = b"""-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: album
-- ------------------------------------------------------
-- Server version	8.0.36

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
"""
_MYSQL_TABLES = rb"""
--
-- Table structure for table `albums`
--

DROP TABLE IF EXISTS `albums`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE `albums` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) DEFAULT NULL COMMENT 'it''s; (a name)',
  PRIMARY KEY (`id`),
  KEY `by_name` (`name`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

LOCK TABLES `albums` WRITE;
/*!40000 ALTER TABLE `albums` DISABLE KEYS */;
INSERT INTO `albums` VALUES%(open)s(1,'one; \'quoted\' \\'),%(next)s(2,'-- Dump completed on 2026-11-22 15:53:01\n),(');
/*!40000 ALTER TABLE `albums` ENABLE KEYS */;
UNLOCK TABLES;
CREATE TABLE `migrations` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `migration` varchar(255) NOT NULL,
  `batch` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `migrations` VALUES%(open)s%(migrations)s;
CREATE TABLE `pictures` (
  `id` bigint(20) unsigned NOT NULL,
  `bytes` longblob,
  CONSTRAINT `to_album` FOREIGN KEY (`id`) REFERENCES `albums` (`id`)
) ENGINE=InnoDB;
INSERT INTO `pictures` VALUES%(open)s(1,0x2729),%(next)s(2,NULL),%(next)s(3,_binary 'x\'');
/*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`album`@`localhost`*/ /*!50003 TRIGGER `keep` AFTER DELETE ON `albums` FOR EACH ROW BEGIN
  INSERT INTO `pictures` VALUES (9,NULL);
END */;;
DELIMITER ;
"""
_MYSQL_END = b"""/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-22 15:53:01
"""

# Layout of pg_dump 15.18, plain text.
_PG_HEAD = rb"""--
-- PostgreSQL database dump
--

\restrict pE3sUoX0rVYf1nVdb2Z9

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
"""
_PG_TABLES = rb"""
CREATE TABLE public.albums (
    id bigint NOT NULL,
    name character varying(255) DEFAULT 'it''s; (a name)'::character varying
);
ALTER TABLE public.albums OWNER TO album;
CREATE FUNCTION public.keep() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into albums values (9, ';'); return new; end; $$;
CREATE TABLE public.migrations (
    id integer NOT NULL,
    migration character varying(255) NOT NULL,
    batch integer NOT NULL
);
CREATE TABLE public.pictures (
    id bigint NOT NULL,
    note text
);

--
-- Data for Name: albums; Type: TABLE DATA; Schema: public; Owner: album
--

COPY public.albums (id, name) FROM stdin;
1	one; 'quoted
2	\\.
3	\nPostgreSQL database dump complete
\.

COPY public.migrations (id, migration, batch) FROM stdin;
%(migrations)s
\.


COPY public.pictures (id, note) FROM stdin;
1	\N
\.

SELECT pg_catalog.setval('public.albums_id_seq', 3, true);
ALTER TABLE ONLY public.albums
    ADD CONSTRAINT albums_pkey PRIMARY KEY (id);
CREATE INDEX by_note ON public.pictures USING btree (note);
"""
_PG_END = rb"""--
-- PostgreSQL database dump complete
--

\unrestrict pE3sUoX0rVYf1nVdb2Z9

"""


def mariadb_dump(migrations: list[str] = _MIGRATIONS) -> bytes:
    """Return a dump in the layout of mariadb-dump 10.11.19."""
    return _MARIADB_HEAD + _mysql_tables(migrations, b"\n", b"\n") + _MYSQL_END


def mysql_dump(migrations: list[str] = _MIGRATIONS) -> bytes:
    """Return a dump in the layout of mysqldump 8.0."""
    return _MYSQL_HEAD + _mysql_tables(migrations, b" ", b"") + _MYSQL_END


def pg_dump(migrations: list[str] = _MIGRATIONS) -> bytes:
    """Return a dump in the layout of pg_dump 15.18."""
    rows = "\n".join(f"{number}\t{name}\t1" for number, name in enumerate(migrations, start=1))
    return _PG_HEAD + _PG_TABLES % {b"migrations": rows.encode()} + _PG_END


def _mysql_tables(migrations: list[str], opened: bytes, following: bytes) -> bytes:
    rows = (b"," + following).join(
        b"(%d,'%s',1)" % (number, name.encode()) for number, name in enumerate(migrations, start=1)
    )
    return _MYSQL_TABLES % {b"open": opened, b"next": following, b"migrations": rows}


def specimens() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield name, engine, expected word and content of each hand-made dump."""
    mariadb, mysql, pg = mariadb_dump(), mysql_dump(), pg_dump()
    use = b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `album`;\n\nUSE `album`;\n"
    yield "good-mariadb.sql", "mysql", "VERIFIED", mariadb
    yield "good-mysql.sql", "mysql", "VERIFIED", mysql
    yield "good-pg.sql", "pgsql", "VERIFIED", pg
    yield "good-pg-no-restrict.sql", "pgsql", "VERIFIED", pg.split(b"\n\\unrestrict")[0] + b"\n"
    yield "after-mariadb.sql", "mysql", "REFUSED", mariadb_dump([*_MIGRATIONS, _BAD])
    yield "after-pg.sql", "pgsql", "REFUSED", pg_dump([*_MIGRATIONS, _BAD])
    yield "other-engine.sql", "sqlite", "REFUSED", mariadb
    yield "databases.sql", "mysql", "REFUSED", mysql.replace(b"\nDROP TABLE", b"\n" + use + b"DROP TABLE", 1)
    yield "other-database.sql", "mysql", "REFUSED", mysql.replace(b"Database: album", b"Database: shop", 1)
    yield (
        "connect-pg.sql",
        "pgsql",
        "REFUSED",
        pg.replace(b"SET statement", b"\\connect album\nSET statement", 1),
    )
    yield "shell-pg.sql", "pgsql", "REFUSED", pg.replace(b"SET statement", b"\\! true\nSET statement", 1)
    compact = b"".join(line for line in mysql.splitlines(True) if not line.startswith(b"-- "))
    yield "compact-mysql.sql", "mysql", "COULD NOT VERIFY", compact.replace(b"--\n", b"").lstrip()
    cut_in_value = mariadb[
        : mariadb.index(b"-- Dump completed") + len(b"-- Dump completed on 2026-11-22 15:53:01")
    ]
    yield "cut-in-a-hostile-value.sql", "mysql", "REFUSED", cut_in_value + b"\n"
