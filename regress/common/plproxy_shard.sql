SET client_min_messages = warning;
CREATE FUNCTION public.run(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN;
END $$;
