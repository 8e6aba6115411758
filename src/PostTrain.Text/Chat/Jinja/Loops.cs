namespace PostTrain.Text.Chat.Jinja;

/// <summary>Executes for blocks.</summary>
internal static class Loops
{
    internal static void Execute(Run run, Scope scope, ForStatement loop)
    {
        var items = Items.Of(run, Evaluator.Value(run, scope, loop.Items));
        if (loop.Condition is { } condition)
            items = [.. items.Where(item => Passes(run, scope, loop, condition, item))];
        if (items.Length == 0)
        {
            Interpreter.Execute(run, new Scope(scope), loop.Else);
            return;
        }

        var state = new LoopValue(items);
        for (var place = 0; place < items.Length; place++)
        {
            run.Charge();
            state.Index = place;
            var inner = new Scope(scope);
            inner.Set("loop", state);
            run.Position = loop.At;
            Assignment.Set(run, inner, loop.Target, items[place]);
            if (Interpreter.Execute(run, inner, loop.Body) == Flow.Break)
                break;
        }
    }

    private static bool Passes(Run run, Scope scope, ForStatement loop, Expression condition, object? item)
    {
        var inner = new Scope(scope);
        Assignment.Set(run, inner, loop.Target, item);
        return Comparison.IsTrue(run, Evaluator.Value(run, inner, condition));
    }
}
