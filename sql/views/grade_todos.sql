-- One row per grade and to-do about it, whichever of the person's ids the to-do's answer id used.
--   todo_id  the to-do: todos.id
with referring as (
    select
        id as todo_id,
        regexp_extract(answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 1) as gradable_rubric_agent,
        regexp_extract(answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 3) as grade_type
    from todos
    where answer_id is not null
),
linked as (
    select distinct names.grade_key, referring.todo_id
    from referring
    join grade_answer_names as names
        on names.gradable_rubric_agent = referring.gradable_rubric_agent and names.grade_type = referring.grade_type
)
select * from linked
