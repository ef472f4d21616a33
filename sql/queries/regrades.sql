-- One row per grader and rubric: grades, how many were graded again with other points, and how the score moved.
-- Between the first version that landed and the one that stands. Scores in percent.
-- Filters: the variables of the view filtered_grades.
with chosen as (
    select * from filtered_grades
),
versions as (
    select
        grade_key,
        round(100 * rubric_score / nullif(max_rubric_score, 0), 10) as score_percent,
        date_graded,
        row_number() over (partition by grade_key order by replaced_at, date_graded) as version
    from grade_history
    where grade_key in (select grade_key from chosen)
),
moved as (
    select
        chosen.*,
        versions.grade_key is not null as regraded,
        chosen.score_percent - versions.score_percent as change,
        (epoch(chosen.date_graded) - epoch(versions.date_graded)) / 86400 as days
    from chosen
    left join versions on versions.grade_key = chosen.grade_key and versions.version = 1
),
per_grader as (
    select
        grader,
        rubric_id,
        max(rubric_name) as rubric_name,
        count(*) as n,
        count(case when regraded then 1 end) as regraded,
        count(case when regraded and change is null then 1 end) as n_na,
        count(case when change > 0 then 1 end) as raised,
        count(case when change < 0 then 1 end) as lowered,
        sum(change) as total,
        sum(change * change) as squares,
        sum(change * change * change) as cubes,
        quantile_cont(case when regraded then days end, 0.5) as median_days
    from moved
    group by grader, rubric_id
    order by grader, rubric_id
)
select * from per_grader
