-- The tables, comments and segments of the demo warehouse. Its rows come from rows.rs, in the same columns.

COMMENT ON SCHEMA public IS 'demo: a year of a French retail brand, all of it made up';

CREATE TABLE products (
  product_id text PRIMARY KEY,
  name text NOT NULL,
  department text NOT NULL,
  line text NOT NULL,
  price numeric(10,2) NOT NULL,
  cost numeric(10,2) NOT NULL,
  reduced_in_sales boolean NOT NULL
) WITH (buckets = 1);
COMMENT ON TABLE products IS 'what the brand sells';
COMMENT ON COLUMN products.line IS 'the collection it belongs to';
COMMENT ON COLUMN products.price IS 'the full price with tax, in euros';
COMMENT ON COLUMN products.cost IS 'what the brand pays for it, without tax';
COMMENT ON COLUMN products.reduced_in_sales IS 'whether sales (soldes, Vendredi noir) make it cheaper';

CREATE TABLE campaigns (
  campaign_id text PRIMARY KEY,
  name text NOT NULL,
  channel text NOT NULL,
  purpose text NOT NULL,
  department text,
  first_day date NOT NULL,
  last_day date NOT NULL,
  cost numeric(12,2) NOT NULL
) WITH (buckets = 1);
COMMENT ON TABLE campaigns IS 'letters (channel email, one day each) and advertisements of the year';
COMMENT ON COLUMN campaigns.channel IS 'email, social, display, video or search';
COMMENT ON COLUMN campaigns.purpose IS 'the consent that it needs, see consents.purpose';
COMMENT ON COLUMN campaigns.department IS 'what it is about, see products.department; null is everything';
COMMENT ON COLUMN campaigns.cost IS 'what it cost altogether, in euros';

CREATE TABLE profiles (
  profile_id text PRIMARY KEY,
  title text,
  first_name text NOT NULL,
  last_name text NOT NULL,
  birth_date date,
  email text,
  email_sha256 text,
  postcode text NOT NULL,
  city text NOT NULL,
  region text NOT NULL,
  household_id text NOT NULL,
  language text NOT NULL,
  signed_up_at timestamptz NOT NULL,
  signup_channel text NOT NULL,
  loyalty_card text,
  loyalty_tier text,
  store text NOT NULL
);
COMMENT ON TABLE profiles IS 'the people the brand knows; some of them twice, with a card filled in at the till';
COMMENT ON COLUMN profiles.email IS 'also the login of the web shop; without it there is only a card';
COMMENT ON COLUMN profiles.email_sha256 IS 'SHA-256 of the address, as destinations take it';
COMMENT ON COLUMN profiles.household_id IS 'profiles of one postal address';
COMMENT ON COLUMN profiles.signup_channel IS 'web, app or store';
COMMENT ON COLUMN profiles.loyalty_tier IS 'bronze, argent, or, platine; null without a card';
COMMENT ON COLUMN profiles.store IS 'the store nearest to the city';

CREATE TABLE consents (
  profile_id text NOT NULL,
  purpose text NOT NULL,
  granted boolean NOT NULL,
  at timestamptz NOT NULL
) WITH (cluster_by = 'profile_id, at');
COMMENT ON TABLE consents IS 'answers to "may we": the latest one per profile and purpose holds, none means no';
COMMENT ON COLUMN consents.purpose IS 'newsletter, advertising or profiling';

CREATE TABLE identities (
  identifier text NOT NULL,
  kind text NOT NULL,
  profile_id text,
  device text,
  ip text,
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  events integer NOT NULL
) WITH (cluster_by = 'identifier');
COMMENT ON TABLE identities IS 'by what people are recognised, and where it was seen: a row per identifier, profile and address';
COMMENT ON COLUMN identities.identifier IS 'as in events.identifier';
COMMENT ON COLUMN identities.kind IS 'cookie, device (an app), email_sha256 or loyalty_card';
COMMENT ON COLUMN identities.profile_id IS 'who was logged in; null while nobody was';
COMMENT ON COLUMN identities.device IS 'mobile, desktop, tablet or app';
COMMENT ON COLUMN identities.ip IS 'homes are in 10.0.0.0/8, offices in 172.16.0.0/12, gateways of telephone companies in 100.64.0.0/10';
COMMENT ON COLUMN identities.first_seen IS 'addresses and cards: the sign-up';
COMMENT ON COLUMN identities.events IS 'how many events there were';

CREATE TABLE events (
  profile_id text,
  ts timestamptz NOT NULL,
  kind text NOT NULL,
  channel text NOT NULL,
  device text,
  identifier text,
  session_id bigint,
  url text,
  campaign_id text,
  product_id text,
  order_id text,
  quantity integer,
  amount numeric(12,2),
  store text
) PARTITION BY RANGE (ts) WITH (cluster_by = 'profile_id, ts');
COMMENT ON TABLE events IS 'everything that happened in 2025, web, app, mail, advertisements and stores';
COMMENT ON COLUMN events.profile_id IS 'who it was; null while nobody knew';
COMMENT ON COLUMN events.kind IS 'page_view, product_view, cart, checkout, purchase, refund, sign_up, email_sent, email_open, email_click, unsubscribe, ad_impression, ad_click';
COMMENT ON COLUMN events.channel IS 'where it came from: direct, search, social, affiliate, referral, email, display, video, store';
COMMENT ON COLUMN events.device IS 'mobile, desktop, tablet or app';
COMMENT ON COLUMN events.identifier IS 'the cookie, app or loyalty card that it was seen with, see identities';
COMMENT ON COLUMN events.session_id IS 'one visit of the web shop or the app, ended by half an hour without a click';
COMMENT ON COLUMN events.campaign_id IS 'the campaign that was sent, shown or clicked; on a visit, the one that led to it';
COMMENT ON COLUMN events.order_id IS 'what was bought together; purchases and refunds have a row for each product';
COMMENT ON COLUMN events.quantity IS 'pieces; negative for refunds';
COMMENT ON COLUMN events.amount IS 'euros for all pieces, after rebates; negative for refunds';
COMMENT ON COLUMN events.store IS 'the store of a purchase with channel store';

CREATE SCHEMA truth;
COMMENT ON SCHEMA truth IS 'what the brand does not know: to score what is guessed from the other tables';

CREATE TABLE truth.persons (
  identifier text NOT NULL,
  kind text NOT NULL,
  person_id text NOT NULL,
  household_id text NOT NULL
) WITH (cluster_by = 'identifier');
COMMENT ON TABLE truth.persons IS 'whose each profile, cookie, app, e-mail address and card is; a shared one has a row for each person';
COMMENT ON COLUMN truth.persons.identifier IS 'profiles.profile_id or identities.identifier';
COMMENT ON COLUMN truth.persons.kind IS 'profile, cookie, device, email_sha256 or loyalty_card';

CREATE TABLE truth.demo (
  seed bigint NOT NULL,
  profiles bigint NOT NULL,
  first_day date NOT NULL,
  today date NOT NULL
);
COMMENT ON TABLE truth.demo IS 'what this warehouse was made from; it is how "audiencedb demo" knows its own';
COMMENT ON COLUMN truth.demo.today IS 'the day after the last event: the demo does not move with the clock';

CREATE VIEW segments.lapsed_buyers AS
  SELECT profile_id, count(DISTINCT order_id) AS orders, sum(amount) AS spent, max(ts) AS last_purchase
  FROM events
  WHERE kind = 'purchase'
  GROUP BY profile_id
  HAVING count(DISTINCT order_id) >= 2 AND max(ts) < timestamptz '2025-07-01 00:00+02';
COMMENT ON VIEW segments.lapsed_buyers IS 'bought at least twice, but not in the second half of the year';

CREATE VIEW segments.reachable_by_email AS
  SELECT p.profile_id, p.email
  FROM profiles AS p
  JOIN (
    SELECT profile_id, granted, row_number() OVER (PARTITION BY profile_id ORDER BY at DESC) AS newest
    FROM consents
    WHERE purpose = 'newsletter'
  ) AS c ON c.profile_id = p.profile_id
  WHERE c.newest = 1 AND c.granted AND p.email IS NOT NULL;
COMMENT ON VIEW segments.reachable_by_email IS 'has an address and last said yes to the newsletter';
