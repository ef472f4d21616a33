-- One row per coaching session, with the person coached (whichever id the session used) and its day.
-- A session counts on the day of its meeting, and on the day it was created where the vendor gives no meeting date.
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
    select *
    from of_people
    where held_at >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and held_at < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and person_id in (select person_id from filtered_people)
),
placed as (
    select
        *,
        cast(held_at at time zone coalesce(getvariable('week_zone'), 'UTC') as date) as day
    from chosen
    order by person_id, held_at, coaching_session_id
)
select * from placed
