-- One row per person and ticket worth listening to: the lowest grades, and those nearest to the person's median.
-- Of grades that are equal in this the newest; a grade that is among the lowest is not named as typical.
-- Filters: the variables of the view filtered_grades.
-- rows        double       optional, default: 3; tickets of each kind
with scored as (
    select
        grade_key, source, gradable_id, person_id, rubric_id, rubric_name, grader, score_percent, date_reported_as, comment
    from filtered_grades
    where score_percent is not null
),
medians as (
    select person_id, median(score_percent) as typical_percent
    from scored
    group by person_id
),
by_score as (
    select
        scored.*,
        floor(abs(scored.score_percent - medians.typical_percent) + 0.000001) as points_from_typical,
        row_number() over (
            partition by scored.person_id
            order by scored.score_percent, scored.date_reported_as desc nulls last, scored.grade_key
        ) as from_the_lowest
    from scored
    join medians on medians.person_id is not distinct from scored.person_id
),
by_distance as (
    select
        *,
        row_number() over (
            partition by person_id, from_the_lowest <= coalesce(getvariable('rows'), 3)
            order by points_from_typical, date_reported_as desc nulls last, grade_key
        ) as from_the_median
    from by_score
),
chosen as (
    select *, 'lowest' as why, from_the_lowest as place
    from by_distance
    where from_the_lowest <= coalesce(getvariable('rows'), 3)
    union all
    select *, 'typical', from_the_median
    from by_distance
    where from_the_lowest > coalesce(getvariable('rows'), 3) and from_the_median <= coalesce(getvariable('rows'), 3)
),
named as (
    select
        chosen.person_id, agents.agent_name, chosen.why, chosen.place, chosen.grade_key, chosen.source,
        chosen.gradable_id, chosen.rubric_id, chosen.rubric_name, chosen.grader, chosen.date_reported_as,
        chosen.score_percent, chosen.comment
    from chosen
    left join agents on agents.person_id = chosen.person_id
    order by chosen.person_id, chosen.why, chosen.place
)
select * from named
