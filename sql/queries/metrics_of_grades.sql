-- One row per person and period with at least one live ordinary grade. Scores in percent, shares from 0 to 1.
-- A grade counts for date_reported_as, or for date_graded where it has none; without both it counts nowhere.
-- period      varchar      optional, default: all; 'week' (from Monday) or 'month', in UTC
-- since       timestamptz  optional, default: everything; grades that count at or after it
-- until       timestamptz  optional, default: everything; grades that count before it
-- include_uncovered  boolean  optional, default: false; also grades of time that no export covers
with counted as (
    select
        coalesce(person_id, agent_id) as person_id,
        coalesce(date_reported_as, date_graded) as counts_for,
        score_percent,
        case when score_percent is not null then rubric_score end as points,
        case when score_percent is not null then max_rubric_score end as max_points
    from scored_grades
    where grade_type = 'grading'
        and (coalesce(is_covered, true) or coalesce(getvariable('include_uncovered'), false))
),
placed as (
    select
        *,
        case coalesce(getvariable('period'), 'all')
            when 'week' then date_trunc('week', counts_for)
            when 'month' then date_trunc('month', counts_for)
        end as period_start
    from counted
    where counts_for >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and counts_for < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
),
per_person as (
    select
        person_id,
        period_start,
        count(*) as qa_grades,
        count(score_percent) as scored_grades,
        avg(score_percent) as qa_score,
        stddev_samp(score_percent) as qa_score_sd,
        avg(case when score_percent >= 80 then 1 when score_percent is not null then 0 end) as qa_pass_rate,
        1 - sum(points) / nullif(sum(max_points), 0) as points_lost_share,
        max(counts_for) as newest_grade,
        max(case when score_percent is not null then counts_for end) as newest_scored_grade
    from placed
    group by person_id, period_start
),
ordered as (
    select * from per_person order by person_id, period_start
)
select * from ordered
