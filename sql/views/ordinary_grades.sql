-- One row per live ordinary grade: the grades that a person's score is made of, without calibrations and benchmarks.
select * from grades
where grade_type = 'grading'
