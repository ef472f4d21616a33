-- One row per grader: the number that stands for the grader in grader_cells.
with used as (
    select distinct grader from total_scores where grader is not null
),
numbered as (
    select row_number() over (order by grader) as number, grader from used order by number
)
select * from numbered
