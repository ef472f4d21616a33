-- One row per calibration review and question, and one for its total score (question_id is null): the score in percent
-- beside that of the final of the same ticket, rubric and person, which is null where there is none yet, and the mean of
-- the other reviews of it (others_percent). Those may lie outside of the period.
-- Filters: the variables of the view filtered_grades_of_any_type.
-- week_zone       varchar  optional, default: UTC; the time zone in which weeks, months and days begin
-- with_questions  boolean  optional, default: true; whether questions have rows beside the total scores
with chosen as (
    select grade_key from filtered_grades_of_any_type where grade_type like 'calibration%'
),
reviews as (
    select scored.*, chosen.grade_key is not null as is_chosen
    from scored_grades as scored
    left join chosen on chosen.grade_key = scored.grade_key
    where scored.grade_type like 'calibration%' and scored.grade_type <> 'calibration_final'
),
finals as (
    select source, gradable_id, rubric_id, person_id, max(grade_key) as final_key, max(score_percent) as final_percent
    from scored_grades
    where grade_type = 'calibration_final'
    group by source, gradable_id, rubric_id, person_id
),
-- Grades are numbered, as their keys are long texts to join by.
numbered as (
    select grade_key, row_number() over (order by grade_key) as number
    from (select grade_key from reviews union select final_key from finals) as involved
),
matched as (
    select
        mine.number,
        theirs.number as final_number,
        reviews.grade_key,
        reviews.grader,
        reviews.source,
        reviews.gradable_id,
        reviews.rubric_id,
        reviews.rubric_name,
        reviews.person_id,
        reviews.score_percent,
        finals.final_percent,
        reviews.is_chosen,
        cast(
            date_trunc('month', reviews.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC')) as date
        ) as month
    from reviews
    join numbered as mine on mine.grade_key = reviews.grade_key
    left join finals
        on finals.source is not distinct from reviews.source
        and finals.gradable_id = reviews.gradable_id
        and finals.rubric_id = reviews.rubric_id
        and finals.person_id is not distinct from reviews.person_id
    left join numbered as theirs on theirs.grade_key = finals.final_key
),
answered as (
    select
        numbered.number,
        answers.question_id,
        max(answers.question) as question,
        100 * max(answers.question_score) / nullif(max(answers.max_question_score), 0) as score_percent
    from individual_answers as answers
    join numbered on numbered.grade_key = answers.grade_key
    group by numbered.number, answers.question_id
),
scores as (
    select number, null as question_id, null as question, score_percent, final_percent
    from matched
    union all
    select matched.number, mine.question_id, mine.question, mine.score_percent, theirs.score_percent as final_percent
    from matched
    join answered as mine on mine.number = matched.number
    left join answered as theirs on theirs.number = matched.final_number and theirs.question_id = mine.question_id
    where coalesce(getvariable('with_questions'), true)
),
placed as (
    select
        matched.grade_key,
        scores.number,
        scores.question_id,
        scores.question,
        scores.score_percent,
        scores.final_percent,
        sum(scores.score_percent) over (
            partition by matched.source, matched.gradable_id, matched.rubric_id, matched.person_id, scores.question_id
        ) as total,
        count(scores.score_percent) over (
            partition by matched.source, matched.gradable_id, matched.rubric_id, matched.person_id, scores.question_id
        ) as reviews,
        matched.grader,
        matched.source,
        matched.gradable_id,
        matched.rubric_id,
        matched.rubric_name,
        matched.person_id,
        matched.month,
        matched.is_chosen
    from scores
    join matched on matched.number = scores.number
)
select
    grade_key,
    question_id,
    question,
    score_percent,
    final_percent,
    (total - score_percent) / nullif(reviews - 1, 0) as others_percent,
    grader,
    source,
    gradable_id,
    rubric_id,
    rubric_name,
    person_id,
    month
from placed
where is_chosen
order by number, question_id
