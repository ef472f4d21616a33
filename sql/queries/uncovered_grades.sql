-- One row per grade type with grades of time that no export covers, which answers leave out: how many, from when to when.
-- Filters: the variables of the view chosen_grades.
--   first_moment  date_reported_as, else date_graded, of the first
with uncovered as (
    select grade_type, coalesce(date_reported_as, date_graded) as moment from chosen_grades where not is_covered
),
per_type as (
    select grade_type, count(*) as grades, min(moment) as first_moment, max(moment) as last_moment
    from uncovered
    group by grade_type
    order by grade_type
)
select * from per_type
