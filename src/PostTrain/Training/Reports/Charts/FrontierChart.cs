namespace PostTrain.Training.Reports;

/// <summary>A chart of value against cost: labelled points with intervals, such as accuracy against tokens or bytes.</summary>
/// <param name="XTitle">Title and unit of the horizontal axis, such as <c>tokens per problem</c>.</param>
/// <param name="YTitle">Title and unit of the vertical axis.</param>
/// <param name="Points">The points; those that are not finite, or not positive on a logarithmic axis, are left out.</param>
public sealed record FrontierChart(string XTitle, string YTitle, IReadOnlyList<FrontierPoint> Points)
{
    /// <summary>True for a logarithmic horizontal axis.</summary>
    /// <value>The default is false.</value>
    public bool LogX { get; init; }

    /// <summary>True for a logarithmic vertical axis.</summary>
    /// <value>The default is false.</value>
    public bool LogY { get; init; }

    /// <summary>Returns the drawing alone: an <c>svg</c> element of 860 by 420 units, styled by the report's style sheet.</summary>
    public string ToSvg()
    {
        var html = new Html();
        FrontierDrawing.Draw(html, this);
        return html.ToString();
    }
}
