-- A table to try the campaign with: psql "$DATABASE_URL" -f seed.sql
CREATE TABLE customers (
	id           serial PRIMARY KEY,
	email        text NOT NULL UNIQUE,
	first_name   text NOT NULL,
	city         text,
	country      char(2) NOT NULL,
	marketing_ok boolean NOT NULL DEFAULT false
);
INSERT INTO customers (email, first_name, city, country, marketing_ok) VALUES
	('ana.berger@example.com',   'Ana',                  'Graz',             'AT', true),
	('b.okafor@example.net',     'Bọ́lá',                 'Wien',             'AT', true),
	('lei.li@example.org',       '李雷',                 NULL,               'AT', true),
	('niamh.oneill@example.com', 'Niamh O''Neill',       'Sankt Pölten',     'AT', true),
	('mac@example.net',          'Mary "Mac" Ann',       'Bruck an der Mur', 'AT', true),
	('dora@example.com',         'Dora',                 'Linz',             'AT', false),
	('emil@example.net',         'Emil',                 'Bern',             'CH', true);
