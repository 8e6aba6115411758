namespace PostTrain.Training.Reports;

/// <summary>A small line chart over training steps.</summary>
/// <param name="Title">What is drawn, such as <c>Mean reward</c>.</param>
/// <param name="Unit">The unit of y, such as <c>tokens</c>; may be empty.</param>
/// <param name="Series">One line or several; they share both axes.</param>
public sealed record CurveChart(string Title, string Unit, IReadOnlyList<CurveSeries> Series)
{
    /// <summary>A chart of one line, which needs no legend.</summary>
    public CurveChart(string title, string unit, CurveSeries series)
        : this(title, unit, [series]) { }

    /// <summary>The drawing alone, an <c>svg</c> element of 420 by 220 units without style: the report's style sheet colours its
    /// classes.</summary>
    /// <remarks>A noisy series is drawn twice, faint as it is and strong as its moving average.</remarks>
    public string ToSvg()
    {
        var html = new Html();
        CurveDrawing.Draw(html, this);
        return html.ToString();
    }
}
