-- One row per live grade and id of the person graded: how an answer id may name the grade.
-- An answer id is account_gradable_rubric_agent_ROLE_type. Gradable and agent ids may contain "_" themselves, so the three
-- middle parts are compared as one text, with every id of the person in the agent's place.
--   gradable_rubric_agent  the middle parts of an answer id that names the grade
select
    scores.grade_key,
    scores.rubric_id,
    scores.grade_type,
    scores.gradable_id || '_' || scores.rubric_id || '_' || others.agent_id as gradable_rubric_agent
from total_scores as scores
join agent_ids as own on own.agent_id = scores.agent_id
join agent_ids as others on others.person_id = own.person_id
