namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private static readonly string[] Matrices = ["pmatrix", "bmatrix", "vmatrix", "matrix", "Bmatrix", "array", "cases"];

    // ( , ) [ , ] \{ \} and matrices.
    private AnswerItem? Bracketed(int start)
    {
        position = start;
        AnswerItem? item;
        if (AcceptCommand("\\emptyset"))
            item = new AnswerList('{', '}', []);
        else if (Accept("\\begin{"))
            item = Matrix();
        else if (Accept("\\{") || Accept("{"))
            item = List('{');
        else if (Accept("("))
            item = List('(');
        else if (Accept("["))
            item = List('[');
        else
            return null;
        return item is not null && Ending() ? item : null;
    }

    private AnswerList? List(char opening)
    {
        brackets++;
        var items = new List<AnswerItem>();
        var closing = Closing(opening);
        while (closing is null)
        {
            if (items.Count > 0 && Separator() == Separation.None)
                return null;
            if (items.Count >= MaximumItems || Items() is not { } read)
                return null;
            items.AddRange(read);
            closing = Closing(opening);
        }

        brackets--;
        // Brackets around a matrix belong to it.
        if (items is [AnswerList { IsMatrix: true } matrix])
            return matrix;
        return items.Count == 0 && opening != '{' ? null : new AnswerList(opening, closing.Value, [.. items]);
    }

    private char? Closing(char opening)
    {
        SkipSpaces();
        if (opening == '{')
            return Accept("\\}") || Accept("}") ? '}' : null;
        return Accept(")") ? ')'
            : Accept("]") ? ']'
            : null;
    }

    private AnswerList? Matrix()
    {
        var end = text.IndexOf('}', position);
        if (end < 0)
            return null;
        var kind = text[position..end];
        if (!Matrices.Contains(kind))
            return null;
        position = end + 1;
        if (kind == "array" && !Columns())
            return null;
        brackets++;
        List<AnswerItem> rows = [],
            row = [];
        while (true)
        {
            if (rows.Count + row.Count >= MaximumItems || Items() is not { } read)
                return null;
            row.AddRange(read);
            SkipSpaces();
            if (Accept("&"))
                continue;
            // A system of equations is a list of equations.
            if (kind == "cases")
                rows.AddRange(row);
            else
                rows.Add(new AnswerList('[', ']', [.. row]));
            row.Clear();
            Accept(",");
            SkipSpaces();
            var isNext = Accept("¶");
            SkipSpaces();
            if (Accept("\\end{" + kind + "}"))
                break;
            if (!isNext)
                return null;
        }

        brackets--;
        return kind == "cases"
            ? new AnswerList('{', '}', [.. rows])
            : new AnswerList(kind == "vmatrix" ? '|' : '[', ']', [.. rows]) { IsMatrix = true };
    }

    // {cc} or {c|c} after \begin{array}
    private bool Columns()
    {
        SkipSpaces();
        var end = At('{') ? text.IndexOf('}', position) : -1;
        if (end < 0)
            return false;
        position = end + 1;
        return true;
    }
}
