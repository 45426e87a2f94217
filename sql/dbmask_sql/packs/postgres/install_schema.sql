-- What dbmask keeps in the source. It belongs to the owner role, and nobody else has a right on it but the masked roles
-- on the two views at the end, which show each its own rows.
-- One row for each masked role: whether install made it, whether it inherited before, the schemas that it got USAGE on,
-- and the search_path that it had in this database.
CREATE TABLE dbmask.class (
  role name PRIMARY KEY,
  made boolean NOT NULL,
  inherited boolean NOT NULL,
  version int NOT NULL,
  generation bigint NOT NULL,
  policy text NOT NULL,
  search_path text[] NOT NULL,
  usage name[] NOT NULL DEFAULT '{}',
  old_path text
);
CREATE TABLE dbmask.secrets (
  role name NOT NULL REFERENCES dbmask.class ON DELETE CASCADE,
  name text NOT NULL,
  inner_pad bytea NOT NULL,
  outer_pad bytea NOT NULL,
  PRIMARY KEY (role, name)
);
CREATE TABLE dbmask.relation (
  role name NOT NULL REFERENCES dbmask.class ON DELETE CASCADE,
  base oid NOT NULL,
  base_schema name NOT NULL,
  base_name name NOT NULL,
  view oid NOT NULL,
  view_schema name NOT NULL,
  view_name name NOT NULL,
  only_name name,
  columns text[] NOT NULL,
  masked text[] NOT NULL,
  PRIMARY KEY (role, base)
);
CREATE TABLE dbmask.side (
  role name NOT NULL REFERENCES dbmask.class ON DELETE CASCADE,
  base oid NOT NULL,
  name name NOT NULL,
  digest text NOT NULL,
  PRIMARY KEY (role, base)
);
-- Rights that --harden took away: from PUBLIC where role is NULL, else from the role; regranted names who got them instead.
CREATE TABLE dbmask.rights (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  object text NOT NULL,
  privilege text NOT NULL,
  role name,
  regranted name[] NOT NULL
);
CREATE VIEW dbmask.relations WITH (security_barrier) AS
  SELECT base, base_schema, base_name, view, view_schema, view_name, only_name, columns, masked
  FROM dbmask.relation WHERE role = current_user;
CREATE VIEW dbmask.installation WITH (security_barrier) AS
  SELECT version, generation, policy, search_path FROM dbmask.class WHERE role = current_user;
