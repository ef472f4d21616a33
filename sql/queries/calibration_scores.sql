-- One row per calibration review and question, and one for its total score (question_id is null): the score in percent
-- beside that of the final of the same ticket, rubric and person, which is null where there is none yet.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: any; 'any' for all
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
chosen as (
    select *
    from scored_grades
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'any') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
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
