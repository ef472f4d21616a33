-- One row per period, person and rubric: counts and sums of score_percent.
-- A period is a day, a week (Monday to Sunday) or a month.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- every       varchar      optional, default: week; or day, month
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
-- threshold   double       optional, default: 80; a grade at or above it passes, in percent
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
placed as (
    select
        cast(
            date_trunc(
                coalesce(getvariable('every'), 'week'),
                date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC')
            ) as date
        ) as period,
        person_id,
        rubric_id,
        rubric_name,
        score_percent
    from chosen
    where date_reported_as is not null
),
per_period as (
    select
        period,
        person_id,
        rubric_id,
        max(rubric_name) as rubric_name,
        count(score_percent) as n,
        count(*) - count(score_percent) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares,
        sum(score_percent * score_percent * score_percent) as cubes,
        count(case when score_percent >= coalesce(getvariable('threshold'), 80) then 1 end) as passed
    from placed
    group by period, person_id, rubric_id
),
named as (
    select agents.agent_name, per_period.*
    from per_period
    left join agents on agents.person_id = per_period.person_id
)
select * from named
