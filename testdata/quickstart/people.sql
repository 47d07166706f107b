-- The people of the quickstart. Rebuild people.db with: rm -f people.db && sqlite3 people.db < people.sql
CREATE TABLE people (
	id         INTEGER PRIMARY KEY,
	email      TEXT NOT NULL,
	first_name TEXT NOT NULL,
	plan       TEXT
);
INSERT INTO people (id, email, first_name, plan) VALUES
	(1, 'ana.silva@gmail.example', 'Ana', 'pro'),
	(2, 'ben.okafor@gmail.example', 'Ben', 'free'),
	(3, 'chloe.martin@gmail.example', 'Chloé', 'pro'),
	(4, 'dmitri.volkov@gmail.example', 'Dmitri', NULL),
	(5, 'emma.jensen@gmail.example', 'Emma', 'team'),
	(6, 'farid.haddad@yahoo.example', 'Farid', 'free'),
	(7, 'gone@yahoo.example', 'Grace', 'pro'),          -- the capture server refuses this one for good
	(8, 'hanna.weber@gmx.example', 'Hanna', 'team'),
	(9, 'later@gmx.example', 'Ivo', 'free'),            -- and defers this one the first time
	(10, 'jun.tanaka@acme.test', 'Jun', 'pro'),
	(11, 'katya.novak@school.test', 'Katya', NULL),
	(12, 'liam.byrne@club.example', 'Liam', 'team');
