// Package script understands the small part of ObjectScript that scripts send
// to an instance: enough to configure it and to write and read data.
//
// Expressions are evaluated left to right without precedence, as the language
// has it. What is not understood is <SYNTAX>, never a guess.
package script
