namespace PostTrain.Training.Reports;

/// <summary>A small line chart over training steps.</summary>
/// <param name="Title">The title, such as <c>Mean reward</c>.</param>
/// <param name="Unit">The unit of y, such as <c>tokens</c>; may be empty.</param>
/// <param name="Series">One or more lines; they share both axes.</param>
public sealed record CurveChart(string Title, string Unit, IReadOnlyList<CurveSeries> Series)
{
    /// <summary>A chart of one line, which needs no legend.</summary>
    public CurveChart(string title, string unit, CurveSeries series)
        : this(title, unit, [series]) { }

    /// <summary>Returns the drawing alone: an <c>svg</c> element of 420 by 220 units, styled by the report's style sheet.</summary>
    /// <remarks>A noisy series is drawn twice: the raw values faintly, their moving average strongly.</remarks>
    public string ToSvg()
    {
        var html = new Html();
        CurveDrawing.Draw(html, this);
        return html.ToString();
    }
}
