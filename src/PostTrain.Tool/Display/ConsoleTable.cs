using PostTrain.Training.Reports;
using Spectre.Console;

namespace PostTrain.Tool;

using Text = Spectre.Console.Text;

/// <summary>Prints a report's table to the terminal, as plain text if the output is redirected.</summary>
public static class ConsoleTable
{
    /// <summary>Prints the table.</summary>
    public static void Print(ReportTable table, TextWriter? writer = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(writer ?? Console.Out),
                Ansi = TrainingDisplay.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
                ColorSystem = TrainingDisplay.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            }
        );
        // A file has no width; without one, long rows would be broken at 80.
        if (!TrainingDisplay.IsTerminal)
            console.Profile.Width = 200;
        var drawn = new Table().Border(TrainingDisplay.IsTerminal ? TableBorder.Rounded : TableBorder.Ascii);
        foreach (var column in table.Columns)
            drawn.AddColumn(new TableColumn(new Text(column)));
        foreach (var row in table.Rows)
            drawn.AddRow(row.Select(cell => new Text(cell)));
        console.Write(drawn);
    }
}
