namespace PostTrain.Text.Chat.Jinja;

/// <summary>The way in which a body of statements ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>Runs statements.</summary>
internal static class Interpreter
{
    internal static Flow Execute(Run run, Scope scope, Statement[] body)
    {
        foreach (var statement in body)
        {
            run.Enter();
            run.Charge();
            run.Position = statement.At;
            var flow = Execute(run, scope, statement);
            run.Leave();
            if (flow != Flow.Next)
                return flow;
        }

        return Flow.Next;
    }

    private static Flow Execute(Run run, Scope scope, Statement statement)
    {
        switch (statement)
        {
            case DataStatement data:
                run.Write(data.Text);
                break;
            case PrintStatement print:
                run.Write(PythonRepresentation.Text(run, Evaluator.Value(run, scope, print.Value)));
                break;
            case IfStatement condition:
                return If(run, scope, condition);
            case ForStatement loop:
                Loops.Execute(run, scope, loop);
                break;
            case BreakStatement:
                return Flow.Break;
            case ContinueStatement:
                return Flow.Continue;
            case SetStatement set:
                Assignment.Set(run, scope, set.Target, Evaluator.Value(run, scope, set.Value));
                break;
            case SetBlockStatement set:
                var text = run.Capture(() => Execute(run, new Scope(scope), set.Body));
                Assignment.Set(run, scope, set.Target, set.Filter is null ? text : Evaluator.Filter(run, scope, set.Filter, text));
                break;
            case WithStatement with:
                return With(run, scope, with);
            case FilterStatement filter:
                var content = run.Capture(() => Execute(run, new Scope(scope), filter.Body));
                run.Write(PythonRepresentation.Text(run, Evaluator.Filter(run, scope, filter.Filter, content)));
                break;
            case MacroStatement macro:
                scope.Set(macro.Definition.Name, Macros.Define(macro.Definition, scope));
                break;
            case CallStatement call:
                Macros.Call(run, scope, call);
                break;
            case GenerationStatement generation:
                Generate(run, scope, generation);
                break;
            default:
                throw new InvalidOperationException($"{statement.GetType()} is not run");
        }

        return Flow.Next;
    }

    private static Flow If(Run run, Scope scope, IfStatement statement)
    {
        foreach (var (condition, body) in statement.Branches)
        {
            if (Comparison.IsTrue(run, Evaluator.Value(run, scope, condition)))
                return Execute(run, scope, body);
        }

        return Execute(run, scope, statement.Else);
    }

    private static Flow With(Run run, Scope scope, WithStatement with)
    {
        var inner = new Scope(scope);
        foreach (var (target, value) in with.Assignments)
            Assignment.Set(run, inner, target, Evaluator.Value(run, scope, value));
        return Execute(run, inner, with.Body);
    }

    // As in transformers, the block begins at the current end of the output, even if a macro or a block is collecting the text.
    private static void Generate(Run run, Scope scope, GenerationStatement generation)
    {
        var text = run.Capture(() => Execute(run, new Scope(scope), generation.Body));
        var start = run.Document.Length;
        run.Generations.Add(new TextSpan(start, start + text.Length));
        run.Write(text);
    }
}
