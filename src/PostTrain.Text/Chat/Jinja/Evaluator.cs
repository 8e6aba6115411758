namespace PostTrain.Text.Chat.Jinja;

/// <summary>Evaluates expressions.</summary>
internal static class Evaluator
{
    internal static object? Value(Run run, Scope scope, Expression expression)
    {
        run.Enter();
        run.Charge();
        run.Position = expression.At;
        var value = expression switch
        {
            LiteralExpression literal => literal.Value,
            NameExpression name => scope.TryGet(name.Name, out var found) ? found : Undefined.Name(name.Name),
            AttributeExpression attribute => Members.Attribute(run, Inner(run, scope, attribute, attribute.Target), attribute.Name),
            ItemExpression item => Item(run, scope, item),
            SliceExpression slice => Slice(run, scope, slice),
            CallExpression call => Call(run, scope, call),
            FilterExpression filter => Filter(run, scope, filter, null),
            TestExpression test => Test(run, scope, test),
            ListExpression list => new ListValue(Values(run, scope, list.Items)),
            TupleExpression tuple => new TupleValue(Values(run, scope, tuple.Items)),
            DictExpression dict => Dict(run, scope, dict),
            ConcatenationExpression parts => Concatenation(run, scope, parts),
            BinaryExpression binary => Binary(run, scope, binary),
            UnaryExpression unary => Arithmetic.Sign(run, unary.Operator, Inner(run, scope, unary, unary.Operand)),
            ComparisonExpression comparison => Compare(run, scope, comparison),
            LogicalExpression logical => Logical(run, scope, logical),
            NotExpression not => !Comparison.IsTrue(run, Value(run, scope, not.Operand)),
            ConditionalExpression conditional => Conditional(run, scope, conditional),
            _ => throw new InvalidOperationException($"{expression.GetType()} is not evaluated"),
        };
        run.Leave();
        return value;
    }

    /// <summary>Applies a block's filters; the innermost filter has no input expression and takes the value.</summary>
    internal static object? Filter(Run run, Scope scope, FilterExpression filter, object? blockValue)
    {
        var input = filter.Input switch
        {
            null => blockValue,
            FilterExpression inner => Filter(run, scope, inner, blockValue),
            var other => Value(run, scope, other),
        };
        var arguments = Arguments(run, scope, filter.Arguments);
        run.Position = filter.At;
        return Filters.Apply(run, filter.Name, input, arguments);
    }

    internal static Arguments Arguments(Run run, Scope scope, ArgumentList list)
    {
        if (ReferenceEquals(list, ArgumentList.None))
            return Jinja.Arguments.None;
        var positional = Values(run, scope, list.Positional);
        if (list.Sequence is { } sequence)
            positional = [.. positional, .. Items.Of(run, Value(run, scope, sequence))];
        List<(string, object?)> named = [.. list.Named.Select(argument => (argument.Name, Value(run, scope, argument.Value)))];
        if (list.Mapping is { } mapping)
        {
            if (Value(run, scope, mapping) is not DictValue dict)
                throw run.Error("** needs a dict");
            run.Charge(dict.Count);
            named.AddRange(
                dict.Entries.Select(entry => (entry.Key as string ?? throw run.Error("** needs a dict with names for keys"), entry.Value))
            );
        }

        return new Arguments(positional, named);
    }

    /// <summary>Calls a function value.</summary>
    internal static object? Call(Run run, object? callee, Arguments arguments) =>
        callee switch
        {
            FunctionValue function => function.Call(run, arguments),
            Undefined missing => throw run.Error(missing.Reason),
            _ => throw run.Error($"{PythonText.TypeName(callee)} cannot be called"),
        };

    // Evaluates a part, then restores the position of the whole for error messages.
    private static object? Inner(Run run, Scope scope, Expression whole, Expression part)
    {
        var value = Value(run, scope, part);
        run.Position = whole.At;
        return value;
    }

    private static object?[] Values(Run run, Scope scope, Expression[] expressions)
    {
        var values = new object?[expressions.Length];
        for (var place = 0; place < values.Length; place++)
            values[place] = Value(run, scope, expressions[place]);
        return values;
    }

    private static object? Item(Run run, Scope scope, ItemExpression item)
    {
        var target = Value(run, scope, item.Target);
        return Members.Item(run, target, Inner(run, scope, item, item.Index));
    }

    private static object? Slice(Run run, Scope scope, SliceExpression slice)
    {
        object? Bound(Expression? bound) => bound is null ? null : Value(run, scope, bound);
        var target = Value(run, scope, slice.Target);
        var (start, stop, step) = (Bound(slice.Start), Bound(slice.Stop), Bound(slice.Step));
        run.Position = slice.At;
        return Members.Slice(run, target, start, stop, step);
    }

    private static object? Call(Run run, Scope scope, CallExpression call)
    {
        var callee = Value(run, scope, call.Callee);
        var arguments = Arguments(run, scope, call.Arguments);
        run.Position = call.At;
        return Call(run, callee, arguments);
    }

    private static bool Test(Run run, Scope scope, TestExpression test)
    {
        var input = Value(run, scope, test.Input);
        var arguments = Arguments(run, scope, test.Arguments);
        run.Position = test.At;
        return Tests.Apply(run, test.Name, input, arguments) != test.Negated;
    }

    private static DictValue Dict(Run run, Scope scope, DictExpression expression)
    {
        var dict = new DictValue();
        foreach (var (key, value) in expression.Entries)
        {
            var name = Value(run, scope, key);
            if (!DictValue.CanBeKey(name))
                throw run.Error($"{PythonText.TypeName(name)} cannot be the key of a dict");
            dict.Set(name, Value(run, scope, value));
        }

        return dict;
    }

    private static string Concatenation(Run run, Scope scope, ConcatenationExpression expression)
    {
        var parts = new string[expression.Parts.Length];
        long length = 0;
        for (var place = 0; place < parts.Length; place++)
        {
            parts[place] = PythonRepresentation.Text(run, Value(run, scope, expression.Parts[place]));
            length += parts[place].Length;
        }

        run.Position = expression.At;
        run.ChargeText(length);
        return string.Concat(parts);
    }

    private static object? Binary(Run run, Scope scope, BinaryExpression binary)
    {
        var left = Value(run, scope, binary.Left);
        return Arithmetic.Apply(run, binary.Operator, left, Inner(run, scope, binary, binary.Right));
    }

    private static bool Compare(Run run, Scope scope, ComparisonExpression comparison)
    {
        var left = Value(run, scope, comparison.First);
        foreach (var (symbol, operand) in comparison.Rest)
        {
            var right = Inner(run, scope, comparison, operand);
            var holds = symbol switch
            {
                "==" => Comparison.AreEqual(run, left, right),
                "!=" => !Comparison.AreEqual(run, left, right),
                "in" => Comparison.Contains(run, right, left),
                "not in" => !Comparison.Contains(run, right, left),
                _ => Orders(run, symbol, left, right),
            };
            if (!holds)
                return false;
            left = right;
        }

        return true;
    }

    private static bool Orders(Run run, string symbol, object? left, object? right)
    {
        if (left is double.NaN || right is double.NaN)
            return false;
        var order = Comparison.Order(run, left, right);
        return symbol switch
        {
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        };
    }

    private static object? Logical(Run run, Scope scope, LogicalExpression logical)
    {
        var left = Value(run, scope, logical.Left);
        return Comparison.IsTrue(run, left) == logical.IsAnd ? Value(run, scope, logical.Right) : left;
    }

    private static object? Conditional(Run run, Scope scope, ConditionalExpression conditional) =>
        Comparison.IsTrue(run, Value(run, scope, conditional.Condition)) ? Value(run, scope, conditional.Then)
        : conditional.Else is { } otherwise ? Value(run, scope, otherwise)
        : new Undefined("the condition is false and there is no else");
}
