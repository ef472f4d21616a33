-- One row per live grade: its total score, the person graded, the score in percent, the ticket's CSAT.
-- score_percent is 100 * rubric_score / max_rubric_score: it may exceed 100 (bonus sections), and is null without a score
-- or with a maximum of 0.
select
    scores.*,
    ids.person_id,
    100 * scores.rubric_score / nullif(scores.max_rubric_score, 0) as score_percent,
    csat.csat_score
from total_scores as scores
left join agent_ids as ids on ids.agent_id = scores.agent_id
left join csat on csat.gradable_id = scores.gradable_id and csat.source is not distinct from scores.source
