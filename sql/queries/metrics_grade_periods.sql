-- One row per live ordinary grade: the person it counts for, and the period.
-- A grade counts for date_reported_as, or for date_graded where it has none; without both it counts nowhere.
-- period      varchar      optional, default: all; 'week' (from Monday) or 'month', in UTC
-- since       timestamptz  optional, default: everything; grades that count at or after it
-- until       timestamptz  optional, default: everything; grades that count before it
-- include_uncovered  boolean  optional, default: false; also grades of time that no export covers
with counted as (
    select
        grade_key,
        coalesce(person_id, agent_id) as person_id,
        coalesce(date_reported_as, date_graded) as counts_for
    from scored_grades
    where grade_type = 'grading'
        and (coalesce(is_covered, true) or coalesce(getvariable('include_uncovered'), false))
),
chosen as (
    select *
    from counted
    where counts_for >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and counts_for < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
),
placed as (
    select
        *,
        case coalesce(getvariable('period'), 'all')
            when 'week' then date_trunc('week', counts_for)
            when 'month' then date_trunc('month', counts_for)
        end as period_start
    from chosen
)
select * from placed
