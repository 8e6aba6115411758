using System.ComponentModel;
using Jint;
using Jint.Runtime;
using Microsoft.Extensions.AI;

namespace PostTrain.Samples.Support;

/// <summary>A tool that evaluates JavaScript in a sandbox: an interpreter without files, network or .NET types, bounded in time, memory,
/// recursion and statements.</summary>
public static class JavaScriptTool
{
    /// <summary>Creates the tool; <c>code</c> is its argument, and the value of the last expression its result.</summary>
    /// <param name="name">Name by which the policy calls it.</param>
    /// <param name="seconds">Time for a call.</param>
    /// <param name="bytes">Memory that a call may allocate.</param>
    public static AIFunction Create(string name = "javascript", double seconds = 1, long bytes = 16_000_000) =>
        AIFunctionFactory.Create(
            [Description("Evaluates JavaScript and returns the value of the last expression.")]
            ([Description("The program.")] string code, CancellationToken cancellation) => Evaluate(code, seconds, bytes, cancellation),
            name
        );

    /// <summary>Evaluates a program in an engine of its own.</summary>
    /// <exception cref="InvalidOperationException">The program is wrong, or beyond its bounds; the message says which.</exception>
    public static string Evaluate(string code, double seconds, long bytes, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(code);
        using var engine = new Engine(options =>
        {
            options.TimeoutInterval(TimeSpan.FromSeconds(seconds));
            options.LimitMemory(bytes);
            options.LimitRecursion(100);
            // The limit counts calls; recursion through conversions would overflow the stack and end the process.
            options.Constraints.StackOverflowGuard = true;
            options.MaxStatements(1_000_000);
            options.MaxArraySize(1_000_000);
            options.RegexTimeoutInterval(TimeSpan.FromSeconds(seconds));
            options.CancellationToken(cancellation);
            options.Strict();
        });
        try
        {
            return engine.Evaluate(code).ToString();
        }
        catch (Exception error)
            when (error is JintException or TimeoutException or InsufficientExecutionStackException or Acornima.ParseErrorException)
        {
            throw new InvalidOperationException(error.Message, error);
        }
    }
}
