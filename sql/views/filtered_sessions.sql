-- One row per coaching session that the variables choose, with the person coached and its day.
-- The person is found whichever id the session used. A session is held on the day of its meeting, or of its creation where
-- the vendor gives no meeting date.
--   coaching_session_id  the id of the session
--   held_at  when the session was held
--   day  the day on which it was held, in the time zone week_zone
-- since       timestamptz  optional, default: everything; sessions held at or after it
-- until       timestamptz  optional, default: everything; sessions held before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with of_people as (
    select
        sessions.id as coaching_session_id,
        ids.person_id,
        sessions.coach_name,
        coalesce(sessions.meeting_date, sessions.created_at) as held_at
    from coaching_sessions as sessions
    join agent_ids as ids on ids.agent_id = sessions.agent_id
    where not coalesce(sessions.is_deleted, false)
),
chosen as (
    select
        *,
        cast(held_at at time zone coalesce(getvariable('week_zone'), 'UTC') as date) as day
    from of_people
    where held_at >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and held_at < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and person_id in (select person_id from filtered_people)
)
select * from chosen
