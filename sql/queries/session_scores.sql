-- One row per coaching session: the person's scores in the 28 days up to its day, and in the 28 days after that day.
-- Its own day (UTC) counts as before: a session is often held for a low grade of the same day.
-- Counts and sums of score_percent as if every rubric had the mean of all grades. A session counts on the day of its
-- meeting, and on the day it was created where the vendor gives no meeting date; deleted sessions are in no row.
-- Filters: the variables of the view filtered_grades, which choose the grades; team and agent choose the sessions too.
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
with scored as (
    select person_id, rubric_id, date_reported_as, score_percent
    from filtered_grades
    where date_reported_as is not null
),
rubrics as (
    select rubric_id, sum(score_percent) as total, count(score_percent) as n
    from scored
    group by rubric_id
),
moved as (
    select
        scored.person_id,
        scored.date_reported_as,
        scored.score_percent + (select sum(total) / sum(n) from rubrics) - rubrics.total / nullif(rubrics.n, 0) as score
    from scored
    join rubrics on rubrics.rubric_id is not distinct from scored.rubric_id
),
newest as (
    select max(date_reported_as) as observed_until from total_scores
),
points as (
    select coaching_session_id, count(*) as coaching_points from session_coaching_points group by coaching_session_id
),
held as (
    select
        sessions.id as coaching_session_id,
        ids.person_id,
        sessions.name,
        sessions.coach_name,
        coalesce(sessions.meeting_date, sessions.created_at) as held_at,
        (floor(epoch(coalesce(sessions.meeting_date, sessions.created_at)) / 86400) + 1) * 86400 as day_after
    from coaching_sessions as sessions
    join agent_ids as ids on ids.agent_id = sessions.agent_id
    where not coalesce(sessions.is_deleted, false)
        and ids.person_id in (select person_id from filtered_people)
),
around as (
    select
        held.coaching_session_id,
        epoch(moved.date_reported_as) >= held.day_after as is_after,
        moved.score
    from held
    join moved
        on moved.person_id = held.person_id
        and epoch(moved.date_reported_as) >= held.day_after - 28 * 86400
        and epoch(moved.date_reported_as) < held.day_after + 28 * 86400
),
summed as (
    select
        coaching_session_id,
        count(case when not is_after then score end) as n_before,
        count(case when is_after then score end) as n,
        count(*) - count(score) as n_na,
        sum(case when not is_after then score end) as total_before,
        sum(case when is_after then score end) as total,
        sum(case when not is_after then score * score end) as squares_before,
        sum(case when is_after then score * score end) as squares
    from around
    group by coaching_session_id
),
named as (
    select
        held.person_id,
        agents.agent_name,
        held.coaching_session_id,
        held.name,
        held.coach_name,
        held.held_at,
        (epoch(newest.observed_until) - held.day_after) / 86400 as days_observed,
        coalesce(points.coaching_points, 0) as coaching_points,
        coalesce(summed.n_before, 0) as n_before,
        coalesce(summed.n, 0) as n,
        coalesce(summed.n_na, 0) as n_na,
        summed.total_before,
        summed.total,
        summed.squares_before,
        summed.squares
    from held
    cross join newest
    left join agents on agents.person_id = held.person_id
    left join points on points.coaching_session_id = held.coaching_session_id
    left join summed on summed.coaching_session_id = held.coaching_session_id
    order by held.person_id, held.held_at, held.coaching_session_id
)
select * from named
