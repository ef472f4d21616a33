-- One row per grader: how long grading takes, in minutes, and how much is graded. Speed is not a target.
-- Filters: the variables of the view filtered_grades.
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with per_grader as (
    select
        grader,
        count(total_grading_time) as n,
        count(*) - count(total_grading_time) as n_na,
        quantile_cont(total_grading_time, 0.5) / 60 as median_minutes,
        quantile_cont(total_grading_time, 0.9) / 60 as p90_minutes,
        count(distinct cast(date_graded at time zone coalesce(getvariable('week_zone'), 'UTC') as date)) as days,
        count(*) as grades
    from filtered_grades
    where grader is not null
    group by grader
),
ordered as (
    select *, grades / nullif(days, 0) as grades_per_day from per_grader order by grader
)
select * from ordered
