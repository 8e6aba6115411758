namespace PostTrain.Text.Chat.Jinja;

/// <summary>An expression of a template. At: its position in the source, or that of its operator.</summary>
internal abstract record Expression(int At);

internal sealed record LiteralExpression(int At, object? Value) : Expression(At);

internal sealed record NameExpression(int At, string Name) : Expression(At);

internal sealed record ListExpression(int At, Expression[] Items) : Expression(At);

internal sealed record TupleExpression(int At, Expression[] Items) : Expression(At);

internal sealed record DictExpression(int At, (Expression Key, Expression Value)[] Entries) : Expression(At);

internal sealed record AttributeExpression(int At, Expression Target, string Name) : Expression(At);

internal sealed record ItemExpression(int At, Expression Target, Expression Index) : Expression(At);

internal sealed record SliceExpression(int At, Expression Target, Expression? Start, Expression? Stop, Expression? Step) : Expression(At);

internal sealed record CallExpression(int At, Expression Callee, ArgumentList Arguments) : Expression(At);

/// <summary>A filter; its input is null for a filter of a block.</summary>
internal sealed record FilterExpression(int At, Expression? Input, string Name, ArgumentList Arguments) : Expression(At);

internal sealed record TestExpression(int At, Expression Input, string Name, ArgumentList Arguments, bool Negated) : Expression(At);

internal sealed record UnaryExpression(int At, string Operator, Expression Operand) : Expression(At);

internal sealed record BinaryExpression(int At, string Operator, Expression Left, Expression Right) : Expression(At);

internal sealed record ComparisonExpression(int At, Expression First, (string Operator, Expression Operand)[] Rest) : Expression(At);

internal sealed record ConcatenationExpression(int At, Expression[] Parts) : Expression(At);

internal sealed record LogicalExpression(int At, bool IsAnd, Expression Left, Expression Right) : Expression(At);

internal sealed record NotExpression(int At, Expression Operand) : Expression(At);

internal sealed record ConditionalExpression(int At, Expression Then, Expression Condition, Expression? Else) : Expression(At);

/// <summary>The arguments of a call, filter or test; * and ** add the items of a sequence or dict.</summary>
internal sealed record ArgumentList(
    Expression[] Positional,
    (string Name, Expression Value)[] Named,
    Expression? Sequence,
    Expression? Mapping
)
{
    internal static ArgumentList None { get; } = new([], [], null, null);
}
