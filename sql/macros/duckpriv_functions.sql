CREATE MACRO duckpriv_functions() AS TABLE FROM duckpriv.main.function_list;
