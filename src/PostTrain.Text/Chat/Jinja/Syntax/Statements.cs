namespace PostTrain.Text.Chat.Jinja;

/// <summary>A statement of a template.</summary>
internal abstract record Statement(int At);

internal sealed record DataStatement(int At, string Text) : Statement(At);

internal sealed record PrintStatement(int At, Expression Value) : Statement(At);

internal sealed record IfStatement(int At, (Expression Condition, Statement[] Body)[] Branches, Statement[] Else) : Statement(At);

internal sealed record ForStatement(int At, Target Target, Expression Items, Expression? Condition, Statement[] Body, Statement[] Else)
    : Statement(At);

internal sealed record BreakStatement(int At) : Statement(At);

internal sealed record ContinueStatement(int At) : Statement(At);

internal sealed record SetStatement(int At, Target Target, Expression Value) : Statement(At);

internal sealed record SetBlockStatement(int At, Target Target, FilterExpression? Filter, Statement[] Body) : Statement(At);

internal sealed record WithStatement(int At, (Target Target, Expression Value)[] Assignments, Statement[] Body) : Statement(At);

internal sealed record FilterStatement(int At, FilterExpression Filter, Statement[] Body) : Statement(At);

internal sealed record MacroStatement(int At, MacroDefinition Definition) : Statement(At);

internal sealed record CallStatement(int At, CallExpression Call, MacroDefinition Caller) : Statement(At);

/// <summary>A generation block: transformers' mark for assistant masks.</summary>
internal sealed record GenerationStatement(int At, Statement[] Body) : Statement(At);

/// <summary>A macro, or the body of a call block. A parameter without a default is undefined if it is not given.</summary>
/// <remarks>Names: the names used in its body.</remarks>
internal sealed record MacroDefinition(
    string Name,
    (string Name, Expression? Default)[] Parameters,
    Statement[] Body,
    IReadOnlySet<string> Names
)
{
    internal bool Uses(string name) => Names.Contains(name);
}

/// <summary>The target of an assignment.</summary>
internal abstract record Target(int At);

internal sealed record NameTarget(int At, string Name) : Target(At);

internal sealed record AttributeTarget(int At, string Namespace, string Name) : Target(At);

internal sealed record TupleTarget(int At, Target[] Parts) : Target(At);
