-- One row per ticket, rubric, person and grader, of tickets that two graders or more have graded: the view paired_grades.
-- Filters: the variables of the view filtered_grades_of_any_type.
select * from paired_grades order by source, gradable_id, rubric_id, person_id, grader
