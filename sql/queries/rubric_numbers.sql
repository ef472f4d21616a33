-- One row per rubric: the number that stands for the rubric in grader_cells.
with used as (
    select distinct rubric_id from total_scores
),
numbered as (
    select row_number() over (order by rubric_id) as rubric, rubric_id from used order by rubric
)
select * from numbered
