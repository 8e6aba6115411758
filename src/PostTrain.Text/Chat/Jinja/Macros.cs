namespace PostTrain.Text.Chat.Jinja;

/// <summary>Creates functions from macros and call blocks.</summary>
internal static class Macros
{
    internal static FunctionValue Define(MacroDefinition macro, Scope scope) =>
        new(macro.Name, (run, arguments) => Run(run, macro, scope, arguments));

    internal static void Call(Run run, Scope scope, CallStatement statement)
    {
        var callee = Evaluator.Value(run, scope, statement.Call.Callee);
        var arguments = Evaluator.Arguments(run, scope, statement.Call.Arguments);
        run.Position = statement.At;
        var caller = ("caller", (object?)Define(statement.Caller, scope));
        var result = Evaluator.Call(run, callee, new Arguments(arguments.Positional, [.. arguments.Named, caller]));
        run.Write(PythonRepresentation.Text(run, result));
    }

    private static string Run(Run run, MacroDefinition macro, Scope scope, Arguments arguments)
    {
        run.Enter();
        var inner = new Scope(scope);
        var named = arguments.Named.ToDictionary(argument => argument.Name, argument => argument.Value);
        var parameters = macro.Parameters;
        for (var place = 0; place < parameters.Length; place++)
        {
            var (name, fallback) = parameters[place];
            var byName = named.Remove(name, out var value);
            if (place < arguments.Positional.Length)
                value = byName ? throw run.Error($"the macro '{macro.Name}' was given '{name}' twice") : arguments.Positional[place];
            else if (!byName)
                value = fallback is null
                    ? new Undefined($"the parameter '{name}' was not provided")
                    : Evaluator.Value(run, inner, fallback);
            inner.Set(name, value);
        }

        inner.Set("caller", named.Remove("caller", out var caller) ? caller : new Undefined("the macro was not called with a call block"));
        AddFurther(run, inner, macro, arguments, named);
        var text = run.Capture(() => Interpreter.Execute(run, inner, macro.Body));
        run.Leave();
        return text;
    }

    // As in Jinja, additional arguments are errors unless the macro uses varargs or kwargs.
    private static void AddFurther(Run run, Scope inner, MacroDefinition macro, Arguments arguments, Dictionary<string, object?> named)
    {
        var positional = arguments.Positional.Length > macro.Parameters.Length ? arguments.Positional[macro.Parameters.Length..] : [];
        if (positional.Length > 0 && !macro.Uses("varargs"))
            throw run.Error(
                $"the macro '{macro.Name}' takes at most {macro.Parameters.Length} arguments, was given {arguments.Positional.Length}"
            );
        if (named.Count > 0 && !macro.Uses("kwargs"))
            throw run.Error($"the macro '{macro.Name}' has no parameter '{named.Keys.First()}'");
        var dict = new DictValue();
        foreach (var (name, value) in named)
            dict.Set(name, value);
        inner.Set("varargs", new TupleValue(positional));
        inner.Set("kwargs", dict);
    }
}
