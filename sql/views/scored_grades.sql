-- One row per live grade: its total score, the person graded, the score in percent. The view grades has the CSAT too,
-- which takes up to half of the time to look up.
-- score_percent is 100 * rubric_score / max_rubric_score: it may exceed 100 (bonus sections), and is null without a score
-- or with a maximum of 0.
select
    scores.*,
    ids.person_id,
    100 * scores.rubric_score / nullif(scores.max_rubric_score, 0) as score_percent
from total_scores as scores
left join agent_ids as ids on ids.agent_id = scores.agent_id
