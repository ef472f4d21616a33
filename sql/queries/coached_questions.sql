-- One row per coaching session, question that a coaching point of it is about, and person coached, with the session's day.
-- A point names its question by criteria_id; points without one are in no row.
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
    select distinct
        chosen.coaching_session_id,
        points.criteria_id as question_id,
        chosen.person_id,
        cast(chosen.held_at at time zone coalesce(getvariable('week_zone'), 'UTC') as date) as day
    from chosen
    join session_coaching_points as links on links.coaching_session_id = chosen.coaching_session_id
    join coaching_points as points on points.id = links.coaching_point_id
    where points.criteria_id is not null
),
ordered as (
    select * from placed order by coaching_session_id, question_id, person_id
)
select * from ordered
