-- One row per period and person: counts and sums of score_percent as if every rubric had the mean of all grades: levels of
-- rubrics are nobody's doing. A period is a day, a week (Monday to Sunday) or a month.
-- Filters: the variables of the view filtered_grades.
-- every       varchar      optional, default: week; or day, month
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with chosen as not materialized (
    select * from local_grades
),
dated as not materialized (
    select
        cast(date_trunc(coalesce(getvariable('every'), 'week'), reported_locally) as date) as period,
        person_id,
        rubric_id,
        score_percent
    from chosen
    where date_reported_as is not null
),
rubrics as (
    select rubric_id, sum(score_percent) as total, count(score_percent) as n
    from chosen
    where date_reported_as is not null
    group by rubric_id
),
moves as (
    select rubric_id, (select sum(total) / sum(n) from rubrics) - total / nullif(n, 0) as points from rubrics
),
moved as (
    select
        dated.period,
        dated.person_id,
        dated.score_percent,
        dated.score_percent + moves.points as adjusted,
        case when dated.score_percent = 0 then 1 else 0 end as is_zero
    from dated
    join moves on moves.rubric_id is not distinct from dated.rubric_id
),
per_period as (
    select
        period,
        person_id,
        count(adjusted) as n,
        count(*) - count(adjusted) as n_na,
        sum(adjusted) as total,
        sum(adjusted * adjusted) as squares,
        sum(adjusted * adjusted * adjusted) as cubes,
        max(score_percent) as highest,
        cast(sum(is_zero) as bigint) as zeros,
        sum(adjusted * is_zero) as zeros_total
    from moved
    group by period, person_id
),
named as (
    select agents.agent_name, per_period.*
    from per_period
    left join agents on agents.person_id = per_period.person_id
)
select * from named
