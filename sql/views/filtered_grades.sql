-- One row per live grade that the variables choose: those of filtered_grades_of_any_type, ordinary grades by default.
-- grade_type         varchar      optional, default: grading; 'any' for all
select *
from filtered_grades_of_any_type
where coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
