-- One row per live grade that the variables choose, of every grade type unless grade_type is set: those of chosen_grades.
-- Grades of time that no export covers are left out unless include_uncovered is set: exports select by update, so of
-- that time only what was changed later is there.
-- include_uncovered  boolean      optional, default: false
select *
from chosen_grades
where coalesce(is_covered, true) or coalesce(getvariable('include_uncovered'), false)
