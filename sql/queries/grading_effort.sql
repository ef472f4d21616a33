-- One row per grader: how long grading takes, in minutes, and how much is graded. Speed is no target: see the README.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
chosen as (
    select *
    from scored_grades
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
per_grader as (
    select
        grader,
        count(total_grading_time) as n,
        count(*) - count(total_grading_time) as n_na,
        quantile_cont(total_grading_time, 0.5) / 60 as median_minutes,
        quantile_cont(total_grading_time, 0.9) / 60 as p90_minutes,
        count(distinct cast(date_graded at time zone coalesce(getvariable('week_zone'), 'UTC') as date)) as days,
        count(*) as grades
    from chosen
    where grader is not null
    group by grader
),
ordered as (
    select *, grades / nullif(days, 0) as grades_per_day from per_grader order by grader
)
select * from ordered
