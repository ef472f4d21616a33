-- One row per period, person and rubric: counts and sums of score_percent.
-- A period is a day, a week (Monday to Sunday) or a month.
-- Filters: the variables of the view filtered_grades.
-- every       varchar      optional, default: week; or day, month
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
-- threshold   double       optional, default: 80; a grade at or above it passes, in percent
with placed as (
    select
        cast(date_trunc(coalesce(getvariable('every'), 'week'), reported_locally) as date) as period,
        person_id,
        rubric_id,
        rubric_name,
        score_percent
    from local_grades
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
        max(score_percent) as highest,
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
