-- One row per grader, person, rubric and day: counts and sums of score_percent, from which graders and agents are compared.
-- Graders, persons and rubrics are numbers from 1, in order of their names and ids; 0 is one that is not known.
-- month counts months since year 0, and is 0 where a grade has no date.
-- Filters: the variables of the view filtered_grades.
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with chosen as (
    select * from local_grades
),
-- Numbers, where only equality counts: there are nearly as many cells as grades, and texts are slow to group and to read.
people as (
    select person_id, row_number() over (order by person_id) as person
    from (select distinct person_id from agent_ids) as persons
),
graders as (
    select grader, row_number() over (order by grader) as number
    from (select distinct grader from total_scores) as used
    where grader is not null
),
rubrics as (
    select rubric_id, row_number() over (order by rubric_id) as rubric
    from (select distinct rubric_id from total_scores) as used
),
placed as (
    select
        coalesce(graders.number, 0) as grader,
        coalesce(people.person, 0) as person,
        coalesce(rubrics.rubric, 0) as rubric,
        cast(chosen.reported_locally as date) as day,
        chosen.score_percent
    from chosen
    left join people on people.person_id = chosen.person_id
    left join graders on graders.grader = chosen.grader
    left join rubrics on rubrics.rubric_id = chosen.rubric_id
),
cells as (
    select
        grader,
        person,
        rubric,
        day,
        coalesce(year(day) * 12 + month(day), 0) as month,
        count(score_percent) as n,
        count(*) - count(score_percent) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares,
        count(case when score_percent = 0 then 1 end) as zeros
    from placed
    group by grader, person, rubric, day
)
select * from cells
