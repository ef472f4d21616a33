-- One row per calibration review and question, and one for its total score (question_id is null): the score in percent
-- beside that of the final of the same ticket, rubric and person, which is null where there is none yet.
-- Filters: the variables of the view filtered_grades_of_any_type.
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with chosen as (
    select * from filtered_grades_of_any_type
),
reviews as (
    select * from chosen where grade_type like 'calibration%' and grade_type <> 'calibration_final'
),
finals as (
    select source, gradable_id, rubric_id, person_id, max(grade_key) as final_key, max(score_percent) as final_percent
    from chosen
    where grade_type = 'calibration_final'
    group by source, gradable_id, rubric_id, person_id
),
matched as (
    select reviews.*, finals.final_key, finals.final_percent
    from reviews
    left join finals
        on finals.source is not distinct from reviews.source
        and finals.gradable_id = reviews.gradable_id
        and finals.rubric_id = reviews.rubric_id
        and finals.person_id is not distinct from reviews.person_id
),
involved as (
    select grade_key from matched
    union
    select final_key from matched
),
answered as (
    select
        grade_key,
        question_id,
        max(question) as question,
        100 * max(question_score) / nullif(max(max_question_score), 0) as score_percent
    from individual_answers
    where grade_key in (select grade_key from involved)
    group by grade_key, question_id
),
scores as (
    select
        matched.grade_key, null as question_id, null as question, matched.score_percent, matched.final_percent
    from matched
    union all
    select
        matched.grade_key, mine.question_id, mine.question, mine.score_percent, theirs.score_percent as final_percent
    from matched
    join answered as mine on mine.grade_key = matched.grade_key
    left join answered as theirs
        on theirs.grade_key = matched.final_key and theirs.question_id = mine.question_id
),
placed as (
    select
        scores.*,
        matched.grader,
        matched.source,
        matched.gradable_id,
        matched.rubric_id,
        matched.rubric_name,
        matched.person_id,
        cast(
            date_trunc('month', matched.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC')) as date
        ) as month
    from scores
    join matched on matched.grade_key = scores.grade_key
    order by scores.grade_key, scores.question_id
)
select * from placed
